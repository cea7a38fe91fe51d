import { checkOptions, checkPort, checkString, invalidOption } from '../../core/check-option.js';
import type { Clock } from '../../core/clock.js';
import { TokenError } from '../../core/errors.js';
import type { TokenEvent } from '../../core/events.js';
import type { Grant, GrantContext } from '../../core/grant.js';
import { ageMs } from '../../core/instant.js';
import { isolated } from '../../core/isolated.js';
import { randomId } from '../../core/random.js';
import { systemClock } from '../../core/system-clock.js';
import { checkTokenParameters } from '../../core/token-parameters.js';
import type { TokenSet } from '../../core/token-set.js';
import type { TokenTarget } from '../../core/token-source.js';
import { withTimeLimit } from '../../core/waiting.js';
import { type AuthorizationServerOptions, checkAuthorizationServer } from '../issuer/authorization-server.js';
import { authorizeDevice, type DeviceAuthorization, type DevicePrompt } from './device-authorization.js';
import { pollDevice } from './poll-device.js';
import { refresher } from './refresher.js';
import { revokeTokens } from '../revocation.js';
import { SharedWait } from './shared-wait.js';
import { bindingOf } from '../dpop/token-binding.js';
import { canonicalParameters, toSearchParams } from '../wire/token-parameters.js';
import { tokenRequester } from '../wire/token-request.js';

/** The server, the client, what the tokens are for, and how the user is shown the code. */
export interface DeviceCodeOptions extends AuthorizationServerOptions, TokenTarget {
  /** Shows the user the code and where to enter it. What it throws ends the sign-in; what it returns is not waited for. */
  readonly onPrompt: (prompt: DevicePrompt) => unknown;
  /**
   * An earlier sign-in's {@link DeviceGrant.signInId}, whose tokens are in the store.
   * @default a new one
   */
  readonly signInId?: string | undefined;
  /** Measures the waits between two questions. @default the machine's clock */
  readonly clock?: Clock | undefined;
}

/** A grant whose refresh token comes from a sign-in on another device. One object is one sign-in. */
export interface DeviceGrant extends Grant {
  /**
   * Names this sign-in; no secret. A program that keeps it beside its store can go on after a restart without asking the user.
   */
  readonly signInId: string;
  /**
   * Shows the user a code and waits until it has been entered. Called again it waits for the same code, and once the
   * user has signed in it does nothing. It takes as long as the user takes: give a signal to end it.
   * @throws {TokenError} `login_required` when the user declined or the code ran out: call it again for a new code; what a token
   * request throws; the signal's reason when it aborts.
   */
  signIn(options?: { readonly signal?: AbortSignal | undefined }): Promise<void>;
}

const deviceGrant = 'urn:ietf:params:oauth:grant-type:device_code';
const authorizationMs = 10_000;

/**
 * A user signs in on another device (RFC 8628): for terminals and for devices without a browser. `signIn()` first, then the
 * token manager: it gets what the sign-in gave, and renews it as `refreshToken` does. Without a sign-in, and without tokens in
 * the store, it fails with `login_required`.
 * @throws {TokenError} `invalid_option`
 */
export function deviceCode(options: DeviceCodeOptions): DeviceGrant {
  const server = checkAuthorizationServer('deviceCode', options, ['scope', 'resource', 'audience', 'params', 'onPrompt', 'signInId', 'clock']);
  const { onPrompt, clock = systemClock } = options;
  if (typeof onPrompt !== 'function') throw invalidOption('onPrompt', 'a function', onPrompt);
  checkPort('clock', options.clock, ['now', 'monotonicMs', 'sleep']);
  const signInId = options.signInId === undefined ? randomId() : checkString('signInId', options.signInId);
  const defaults = checkTokenParameters(options);
  const refresh = refresher(server, defaults);
  const poll = tokenRequester(server);
  // What the sign-in gave and what is worth knowing of it, until a manager takes it.
  let fresh: FreshTokens | undefined;
  const told: TokenEvent[] = [];
  const wait = new SharedWait(signIn);

  async function signIn(signal: AbortSignal): Promise<void> {
    const context: GrantContext = { target: {}, clock, signal, report: (event) => told.push(event) };
    const begin = (limit: AbortSignal): Promise<DeviceAuthorization> =>
      authorizeDevice(server, toSearchParams(defaults, defaults.scope), { ...context, signal: limit });
    const device = await withTimeLimit(clock, authorizationMs, begin, noAnswer, signal);
    const failed = new AbortController();
    isolated(onPrompt, device.prompt, () => failed.abort(new TokenError('grant_failed', 'the function that shows the code failed', { phase: 'device' })));
    const { deviceCode: code } = device;
    // Scope and target were said before (RFC 8628 §3.4).
    const request = { grantType: deviceGrant, requested: defaults.scope, isRenewable: true, secrets: [code] };
    const ask = (limit: AbortSignal): Promise<TokenSet> =>
      poll({ ...request, body: new URLSearchParams({ device_code: code }) }, { ...context, signal: limit });
    fresh = { tokens: await pollDevice(device, ask, clock, AbortSignal.any([signal, failed.signal])), mono: clock.monotonicMs() };
  }

  return {
    id: JSON.stringify(['device_code', server.issuer, server.clientId, canonicalParameters(defaults)]),
    renews: 'refreshToken',
    keepsRefreshToken: server.preset.rotation === 'none',
    ...bindingOf(server, signInId),
    signInId,
    async signIn(wanted = {}) {
      checkOptions('signIn', wanted, ['signal']);
      await wait.join(wanted.signal);
    },
    request: async (current, context) => {
      const { target, report } = context;
      for (const event of told.splice(0)) report(event);
      const signedIn = fresh;
      const isOwnTarget = Object.values(target).every((value) => value === undefined);
      if (signedIn && isOwnTarget && isUnspent(signedIn, clock)) {
        fresh = undefined;
        return signedIn.tokens;
      }
      const token = signedIn?.tokens.refreshToken ?? current?.refreshToken;
      if (token === undefined)
        throw new TokenError('login_required', 'nobody has signed in on this device, or the server gave no refresh token', { phase: 'token' });
      const tokens = await refresh(token, current, context);
      if (fresh === signedIn) fresh = undefined;
      return signedIn ? { refreshToken: token, ...tokens } : tokens;
    },
    revoke: (tokens, context) => {
      const refreshToken = tokens.refreshToken ?? fresh?.tokens.refreshToken;
      fresh = undefined;
      return revokeTokens(server, { ...tokens, refreshToken }, context);
    },
  };
}

interface FreshTokens {
  readonly tokens: TokenSet;
  /** When they came, by the monotonic clock. */
  readonly mono: number;
}

// Else there is nothing to be gained by handing it out: its refresh token gets a better one.
function isUnspent({ tokens, mono }: FreshTokens, clock: Clock): boolean {
  const { lifetimeMs = Infinity, sentAt } = tokens;
  return ageMs({ wall: sentAt, mono }, clock) < lifetimeMs / 2;
}

function noAnswer(): TokenError {
  return new TokenError('timeout', `no answer from the device authorization endpoint within ${authorizationMs} ms`, { phase: 'device' });
}

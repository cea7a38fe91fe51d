/// <reference lib="esnext.disposable" preserve="true" />
import { checkOptions } from '../core/check-option.js';
import { checkClock } from '../core/system-clock.js';
import { createHttpClient, type HttpClientOptions } from '../http/create-http-client.js';
import { rejectedToken } from '../http/rejected-token.js';
import { managerParts } from '../manager/build-manager.js';
import { managerOptionNames, type TokenManagerOptions } from '../manager/create-token-manager.js';
import { renew } from '../manager/renew.js';
import type { TokenManager } from '../manager/token-manager.js';
import { type ClientCredentialsOptions, clientCredentials } from '../protocol/grants/client-credentials.js';
import { diagnosticsOf } from './diagnostics.js';
import { withSharedPause } from './shared-pause.js';
import { tokenEndpointQueue } from './token-endpoint-queue.js';

/** The server, the client and its API, and how tokens are kept. */
export interface ServiceClientOptions extends ClientCredentialsOptions, Omit<TokenManagerOptions, 'grant'> {}

/** A service's access to the APIs that its client credentials open. */
export interface ServiceClient {
  /** The tokens themselves: `ready()` at boot, `for(target)` for another API, `explain()` when something is odd. */
  readonly tokens: TokenManager;
  /** A ky instance whose requests carry a token and are repeated once after a 401. See `createHttpClient`. */
  http(options: ServiceHttpOptions): ReturnType<typeof createHttpClient>;
  /** Ends waits and timers, and refuses further calls. Closes nothing that it was given. */
  dispose(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

export interface ServiceHttpOptions extends Omit<HttpClientOptions, 'tokens'> {
  /** Where the tokens come from: `tokens.for(target)` for another API. @default the client's own tokens */
  readonly tokens?: HttpClientOptions['tokens'] | undefined;
}

/**
 * A backend service that calls protected APIs with its own client credentials (RFC 6749 §4.4). Nothing is requested
 * before the first token is needed.
 *
 * @throws {TokenError} `invalid_option`
 */
export function createServiceClient(options: ServiceClientOptions): ServiceClient {
  const { skewMs, minValidMs, store, lock, clock, keepFresh, maxTargets, onEvent, ...grantOptions } = checked(options);
  const grant = withSharedPause(clientCredentials(grantOptions), store, checkClock(clock));
  const { issuer, server, clientId } = grantOptions;
  const alsoRejected = rejectedToken(grantOptions.preset?.rejectedToken ?? [], { clock });
  const diagnostics = diagnosticsOf({ issuer: issuer ?? server?.issuer ?? '', clientId });
  const { tokens } = managerParts(
    { grant, skewMs, minValidMs, store, lock, clock, keepFresh, maxTargets, onEvent },
    { renew, queue: tokenEndpointQueue(), observed: diagnostics.observed },
  );
  return {
    tokens,
    http(httpOptions) {
      checkOptions('http', httpOptions);
      const { tokens: source = tokens, clock: timer = clock, onEvent: hears, ...rest } = httpOptions;
      return createHttpClient({ alsoRejected, ...rest, tokens: source, clock: timer, onEvent: diagnostics.http(hears) });
    },
    dispose: () => tokens.dispose(),
    [Symbol.asyncDispose]: () => tokens.dispose(),
  };
}

const grantOptionNames = ['issuer', 'server', 'clientId', 'auth', 'dpop', 'fetch', 'preset', 'allowInsecureHttp', 'scope', 'resource', 'audience', 'params'];

function checked(options: ServiceClientOptions): ServiceClientOptions {
  checkOptions('createServiceClient', options, [...grantOptionNames, ...managerOptionNames.filter((name) => name !== 'grant')]);
  return options;
}

import { checkOptions, checkScope, checkString, invalidOption } from '../../core/check-option.js';
import { isTokenError, TokenError } from '../../core/errors.js';
import type { Grant, GrantContext } from '../../core/grant.js';
import { randomId } from '../../core/random.js';
import type { TokenSet, TokenType } from '../../core/token-set.js';
import { checkLifetime, toTokenSet } from '../wire/to-token-set.js';

/** What a custom grant answers with. */
export interface CustomTokens {
  readonly accessToken: string;
  /** @default 'Bearer' */
  readonly tokenType?: TokenType | undefined;
  /** Milliseconds from the call; left out: a JWT's own `exp`, else unknown. */
  readonly expiresInMs?: number | undefined;
  readonly scope?: string | readonly string[] | undefined;
  /** Kept and handed in again where the grant renews by `refreshToken`. */
  readonly refreshToken?: string | undefined;
}

export interface CustomGrantOptions {
  /** Grants with equal ids share stored tokens; required with `renews: 'refreshToken'`. @default a random one */
  readonly id?: string | undefined;
  /** @default 'regrant' */
  readonly renews?: 'regrant' | 'refreshToken' | undefined;
}

/**
 * Tokens from anywhere: the function is called with the current tokens whenever new ones are needed. Throw a
 * {@link TokenError} to say what a failure asks for; anything else counts as `grant_failed`, and its message is not shown.
 * @throws {TokenError} `invalid_option`.
 */
export function customGrant(fn: (current: TokenSet | undefined, context: GrantContext) => Promise<CustomTokens>, options: CustomGrantOptions = {}): Grant {
  if (typeof fn !== 'function') throw invalidOption('fn', 'a function', fn);
  checkOptions('customGrant', options, ['id', 'renews']);
  const { renews = 'regrant' } = options;
  if (renews !== 'regrant' && renews !== 'refreshToken') throw invalidOption('renews', '"regrant" or "refreshToken"', renews);
  return {
    // Under a random name a refresh token would not be found again after a restart.
    id: options.id === undefined && renews === 'regrant' ? `custom:${randomId()}` : checkString('id', options.id),
    renews,
    request: async (current, context) => {
      const sentAt = context.clock.now();
      const tokens = await call(fn, current, context);
      const members = {
        access_token: tokens.accessToken,
        token_type: tokens.tokenType ?? 'Bearer',
        scope: tokens.scope,
        refresh_token: tokens.refreshToken,
      };
      const lifetimeMs = typeof tokens.expiresInMs === 'number' ? checkLifetime(Math.floor(tokens.expiresInMs)) : undefined;
      const requested = checkScope('scope', context.target.scope) ?? current?.scope;
      return toTokenSet(members, lifetimeMs, { preset: {}, sentAt, requested, isRenewable: renews === 'refreshToken', report: context.report });
    },
  };
}

async function call(
  fn: (current: TokenSet | undefined, context: GrantContext) => Promise<CustomTokens>,
  current: TokenSet | undefined,
  context: GrantContext,
): Promise<CustomTokens> {
  let tokens: unknown;
  try {
    tokens = await fn(current, context);
  } catch (error) {
    if (context.signal.aborted) throw context.signal.reason;
    if (isTokenError(error)) throw error;
    throw new TokenError('grant_failed', 'the function of the custom grant failed', { phase: 'token' });
  }
  if (!isTokens(tokens))
    throw new TokenError('unacceptable_response', 'the function of the custom grant gave no object with an accessToken', { phase: 'token' });
  return tokens;
}

function isTokens(value: unknown): value is CustomTokens {
  return typeof value === 'object' && value !== null && 'accessToken' in value;
}

import { invalidOption, isUri } from '../../core/check-option.js';
import { presentAssertion } from './client-assertion.js';
import type { ClientAuthRequest } from './client-auth.js';
import type { Assertion } from './sign-assertion.js';

const lifetimeMs = 60_000;

/** What servers disagree about in assertions that clients sign themselves. */
export interface AssertionOptions {
  /**
   * Whom the assertion is for: the server's issuer identifier (RFC 7523 §3 as updated by RFC 10070), the URL of its token
   * endpoint, or this very URI. @default the preset's `assertionAudience`, else 'issuer'
   */
  readonly audience?: 'issuer' | 'token_endpoint' | (string & {}) | undefined;
  /** The header's `typ`; 'none' leaves it out. @default the preset's `assertionTyp`, else 'client-authentication+jwt' */
  readonly typ?: 'client-authentication+jwt' | 'JWT' | 'none' | undefined;
}

export const assertionOptionNames: readonly string[] = ['audience', 'typ'];

export function checkAssertionOptions({ audience, typ }: AssertionOptions): void {
  const isAudience = audience === undefined || audience === 'issuer' || audience === 'token_endpoint' || isUri(audience);
  if (!isAudience) throw invalidOption('audience', '"issuer", "token_endpoint" or a URI', audience);
  if (![undefined, 'client-authentication+jwt', 'JWT', 'none'].includes(typ)) throw invalidOption('typ', '"client-authentication+jwt", "JWT" or "none"', typ);
}

/** Puts a new assertion of the client's own into a request. (`standards.md` P11, P12) */
export async function presentOwnAssertion(
  request: ClientAuthRequest,
  options: AssertionOptions,
  sign: (assertion: Assertion) => Promise<string>,
): Promise<readonly string[]> {
  const { clientId, issuer, tokenEndpoint, preset } = request;
  const audience = options.audience ?? preset.assertionAudience ?? 'issuer';
  const typ = options.typ ?? preset.assertionTyp ?? 'client-authentication+jwt';
  const aud = audience === 'issuer' ? issuer : audience === 'token_endpoint' ? tokenEndpoint : audience;
  const claims = { iss: clientId, sub: clientId, aud };
  const header = typ === 'none' ? {} : { typ };
  return presentAssertion(request, await sign({ claims, header, now: request.now(), lifetimeMs }));
}

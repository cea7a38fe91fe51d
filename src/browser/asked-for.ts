import { checkOptions } from '../core/check-option.js';
import { parseObject } from '../core/parse-object.js';
import type { TokenParameters } from '../core/token-parameters.js';
import type { ResourceChallenge } from '../http/read-refusal.js';
import type { SignInOptions } from '../protocol/authorization/sign-in-options.js';

/**
 * What a sign-in asks for so that an API's challenge is met: its scopes beside those of the session, and how the user is to be
 * authenticated (RFC 6750 §3.1, RFC 9470 §4).
 */
export function askedFor(challenge: ResourceChallenge, { scope = [] }: TokenParameters): SignInOptions {
  checkOptions('challenge', challenge);
  const { scopes = [], acrValues = [], maxAgeMs, claims } = challenge;
  return {
    scope: [...new Set([...scope, ...scopes])],
    maxAgeMs,
    ...(acrValues.length > 0 && { acrValues }),
    ...(claims !== undefined && { claims: parseObject(claims) }),
  };
}

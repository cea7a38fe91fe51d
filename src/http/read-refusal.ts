import type { AccessToken } from '../core/access-token.js';
import { parseChallenges, type Challenge } from './parse-challenges.js';

/** What a resource asks for beyond this token. */
export interface ResourceChallenge {
  readonly error: 'insufficient_scope' | 'insufficient_user_authentication' | 'insufficient_claims';
  readonly status: number;
  /** Origin of the resource. */
  readonly origin: string;
  /** The token's scope and what the challenge names, together: what to pass to the next sign-in. */
  readonly scopes: readonly string[];
  /** RFC 9470 §3. */
  readonly acrValues: readonly string[];
  /** RFC 9470 §3: how long ago the sign-in may lie, in milliseconds. */
  readonly maxAgeMs: number | undefined;
  /** The decoded JSON text of the challenge's `claims` (Entra), as it goes into the next request's `claims` parameter. */
  readonly claims: string | undefined;
  /** The challenge as it was sent. */
  readonly challenge: Challenge;
}

/** What a 401 or 403 means for the token that the request carried. */
export type Refusal = ResourceChallenge | 'token_refused' | undefined;

const stepUps = ['insufficient_scope', 'insufficient_user_authentication', 'insufficient_claims'] as const;
// Errors that a fresh token would meet as well.
const unrelated = /^(?:invalid_request|use_dpop_nonce|invalid_dpop_proof)$/;

/** Whether a 401 only says that the proof lacks the resource's nonce (RFC 9449 §9). */
export function wantsNonce(response: Response): boolean {
  return response.status === 401 && parseChallenges(response).some(({ scheme, params }) => scheme === 'dpop' && params['error'] === 'use_dpop_nonce');
}

/** Reads the challenges of a 401 or 403 (RFC 6750 §3.1, RFC 9470 §3, RFC 9449 §7.1). */
export function readRefusal(response: Response, token: AccessToken, origin: string): Refusal {
  const challenges = parseChallenges(response);
  const ours = challenges.filter(({ scheme }) => scheme === 'bearer' || scheme === 'dpop');
  const errors = ours.map(({ params }) => params['error'] ?? '');
  const refused = response.status === 401 ? 'token_refused' : undefined;
  if (errors.includes('invalid_token')) return refused;
  for (const challenge of ours) {
    const { error, scope = '', acr_values = '', max_age = '', claims = '' } = challenge.params;
    const stepUp = stepUps.find((name) => name === error);
    if (stepUp)
      return {
        error: stepUp,
        status: response.status,
        origin,
        scopes: [...new Set([...token.scope, ...words(scope)])],
        acrValues: words(acr_values),
        maxAgeMs: /^\d{1,10}$/.test(max_age) ? Number(max_age) * 1000 : undefined,
        claims: decodeClaims(claims),
        challenge,
      };
  }
  // Without a challenge that can be read (CORS hides it, many APIs send none) a 401 still speaks of the token.
  return challenges.length === 0 || errors.some((error) => !unrelated.test(error)) ? refused : undefined;
}

function words(list: string): string[] {
  return list.split(' ').filter(Boolean);
}

// Both base64 alphabets are in use; what is not JSON is dropped.
function decodeClaims(encoded: string): string | undefined {
  try {
    const bytes = atob(encoded.replaceAll('-', '+').replaceAll('_', '/'));
    const text = new TextDecoder('utf-8', { fatal: true }).decode(Uint8Array.from(bytes, (char) => char.charCodeAt(0)));
    JSON.parse(text);
    return text;
  } catch {
    return undefined;
  }
}

import type { FakeGrant, FakeGrantResult } from './fake-grant.js';
import { type AssertionIssuers, readAssertion } from './read-assertion.js';

const accessTokenType = 'urn:ietf:params:oauth:token-type:access_token';

/** Token exchange (RFC 8693): every subject token that is not empty is taken. */
export const tokenExchangeGrant: FakeGrant = ({ params, requestedScope = [] }): FakeGrantResult => {
  for (const name of ['subject_token', 'subject_token_type']) if (!params.get(name)) return { error: 'invalid_request', description: `${name} is missing` };
  if (params.has('actor_token') !== params.has('actor_token_type')) return { error: 'invalid_request', description: 'an actor needs a token and a type' };
  return { scope: requestedScope, members: { issued_token_type: params.get('requested_token_type') ?? accessTokenType } };
};

/** The JWT bearer grant (RFC 7523 §2.1): whose keys the assertions are signed with, by `iss`; undefined: nobody looks. */
export function jwtBearerGrant(issuers: AssertionIssuers | undefined): FakeGrant {
  const seen = new Set<string>();
  return async ({ params, request, issuer, knobs, now, requestedScope }) => {
    const assertion = params.get('assertion');
    if (assertion === null) return { error: 'invalid_request', description: 'assertion is missing' };
    const audiences = { issuer: [issuer], token_endpoint: [request.url], either: [issuer, request.url] }[knobs.bearerAudience];
    const read = await readAssertion(assertion, { audiences, issuers, now, leewayMs: knobs.bearerLeewayMs, longestMs: knobs.bearerLongestMs, seen });
    if (typeof read === 'string') return { error: 'invalid_grant', description: read };
    const { scope } = read;
    return { scope: requestedScope ?? (typeof scope === 'string' ? scope.split(' ') : []) };
  };
}

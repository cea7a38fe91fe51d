import { invalidOption } from '../../core/check-option.js';
import { askFor } from '../wire/ask-for.js';
import type { ClientAuth, ClientAuthRequest } from './client-auth.js';

const jwtBearer = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';

/**
 * An assertion that somebody else signs (RFC 7523 §2.2): a token of the platform that the service runs on, which the
 * authorization server trusts (workload identity, federated credentials). The function is called at every attempt, and
 * should just read the token where the platform puts it: nothing is kept here, so a replaced token is used at once.
 * What it throws becomes `grant_failed`, unless it is a `TokenError`.
 *
 * @throws {TokenError} `invalid_option` when it is no function.
 */
export function clientAssertion(read: () => string | Promise<string>): ClientAuth {
  if (typeof read !== 'function') throw invalidOption('assertion', 'a function that gives the assertion', read);
  return Object.freeze({
    method: 'private_key_jwt',
    authenticate: async (request: ClientAuthRequest) => {
      const value: unknown = await askFor('the client assertion', read);
      // Files end in a line end.
      const assertion = typeof value === 'string' ? value.trim() : '';
      if (!/^[\x21-\x7e]+$/.test(assertion)) throw invalidOption('assertion', 'a function that gives a JWT', value);
      return presentAssertion(request, assertion);
    },
  });
}

/** Puts an assertion into the body; answers with what must not be shown of it (RFC 7521 §4.2). */
export function presentAssertion({ body, clientId }: ClientAuthRequest, assertion: string): readonly string[] {
  body.set('client_id', clientId);
  body.set('client_assertion_type', jwtBearer);
  body.set('client_assertion', assertion);
  return [assertion, ...assertion.split('.')];
}

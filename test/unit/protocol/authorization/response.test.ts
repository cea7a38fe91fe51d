import fc from 'fast-check';
import * as oauth from 'oauth4webapi';
import { describe, expect, it } from 'vitest';
import { readAuthorizationResponse } from '../../../../src/protocol/authorization/authorization-response.js';
import { stateOf, withoutResponse } from '../../../../src/protocol/authorization/callback-url.js';
import type { AuthorizationTransaction } from '../../../../src/protocol/authorization/authorization-transaction.js';
import { redeemCode } from '../../../../src/protocol/authorization/redeem-code.js';
import { context, failure, standingClock, thrown } from '../wire.js';
import { begin, redirectUri, visit, world } from './support.js';

const clock = standingClock();
const transaction: AuthorizationTransaction = {
  state: 'the-state-of-this-sign-in',
  issuer: 'https://as.test',
  clientId: 'app',
  redirectUri,
  responseMode: 'query',
  isIssuerNamed: true,
  codeVerifier: 'v',
  nonce: 'n',
  scope: ['openid'],
  resource: undefined,
  audience: undefined,
  maxAgeMs: undefined,
  acrValues: undefined,
  appState: undefined,
  createdAt: clock.time,
};
const good = { code: 'c-1', state: transaction.state, iss: transaction.issuer };

function callback(members: Readonly<Record<string, string | undefined>>, at = redirectUri): URL {
  const url = new URL(at);
  for (const [name, value] of Object.entries({ ...good, ...members })) if (value !== undefined) url.searchParams.set(name, value);
  return url;
}

const read = (url: string | URL, rest: Partial<AuthorizationTransaction> = {}) => readAuthorizationResponse(url, { ...transaction, ...rest }, clock);
const refusal = (url: string | URL, rest: Partial<AuthorizationTransaction> = {}) => thrown(() => read(url, rest));

describe('a callback', () => {
  it('gives its code when everything fits', () => {
    expect(read(callback({}))).toEqual({ code: 'c-1' });
    expect(read(callback({}).href)).toEqual({ code: 'c-1' });
    expect(read(callback({ session_state: 'x', unknown: 'y' }))).toEqual({ code: 'c-1' });
  });

  it('may come as a path of the own host, as servers hand it on', () => {
    expect(read(`/cb${callback({}).search}`)).toEqual({ code: 'c-1' });
    expect(refusal(`//evil.example/cb${callback({}).search}`)).toMatchObject({ code: 'callback_refused' });
  });

  it.each<[string, Record<string, string | undefined>]>([
    ['is missing', { state: undefined }],
    ['is empty', { state: '' }],
    ['is another one', { state: 'the-state-of-another-sign' }],
    ['is a part of it', { state: 'the-state-of-this-sign' }],
    ['is more than it', { state: 'the-state-of-this-sign-in-' }],
    ['has another case', { state: 'The-State-Of-This-Sign-In' }],
  ])('is refused when its state %s, also with an error [A4]', (_name, members) => {
    for (const further of [{}, { code: undefined, error: 'access_denied' }]) {
      const error = refusal(callback({ ...members, ...further }));
      expect(error).toMatchObject({ code: 'callback_refused', kind: 'interaction', phase: 'authorization' });
      expect(error.message).toContain('state');
      expect(error.message).not.toContain('c-1');
    }
  });

  it('causes no request when its state is forged [A4]', async () => {
    const here = world({ stateParameter: 'altered' });
    const begun = await begin(here);
    const url = await visit(here, begun);
    const before = here.as.requests.length;
    expect(() => readAuthorizationResponse(url, begun.transaction, here.clock)).toThrow('state');
    expect(here.as.requests).toHaveLength(before);
  });

  it.each(['https://as.test/', 'https://AS.test', 'https://other.test', 'as.test', 'null'])(
    'is refused when it comes from %s, also with an error [A6] [A7]',
    (iss) => {
      for (const further of [{}, { code: undefined, error: 'access_denied' }])
        for (const isIssuerNamed of [true, false]) {
          const error = refusal(callback({ iss, ...further }), { isIssuerNamed });
          expect(error).toMatchObject({ code: 'callback_refused' });
          expect(error.message).toContain('server that was asked');
        }
    },
  );

  it('has to name its issuer where the server promised that, and only there [A6]', () => {
    expect(refusal(callback({ iss: undefined }))).toMatchObject({ code: 'callback_refused' });
    expect(refusal(callback({ iss: '' }))).toMatchObject({ code: 'callback_refused' });
    expect(refusal(callback({ iss: undefined, code: undefined, error: 'access_denied' }))).toMatchObject({ code: 'callback_refused' });
    expect(read(callback({ iss: undefined }), { isIssuerNamed: false })).toEqual({ code: 'c-1' });
  });

  it.each([
    'https://app.example/cb/',
    'https://app.example/CB',
    'https://app.example/',
    'https://app.example:8443/cb',
    'http://app.example/cb',
    'https://www.app.example/cb',
    'https://app.example.evil.test/cb',
    'https://app.example/cb/../cb2',
    'com.example.app:/cb',
  ])('is refused at %s [A8]', (at) => {
    const error = refusal(callback({}, at));
    expect(error).toMatchObject({ code: 'callback_refused' });
    expect(error.message).toContain('redirect URI');
  });

  it('is taken at any spelling of the same place, and with a query of its own [A8]', () => {
    expect(read(callback({}, 'HTTPS://APP.example:443/cb'))).toEqual({ code: 'c-1' });
    expect(read(callback({}, 'https://app.example/cb?tenant=1'), { redirectUri: 'https://app.example/cb?tenant=1' })).toEqual({ code: 'c-1' });
  });

  it.each(['access_token', 'id_token', 'refresh_token', 'token', 'response'])('is refused with %s in query or fragment [A10]', (name) => {
    for (const responseMode of ['query', 'fragment'] as const) {
      const url = responseMode === 'query' ? callback({}) : new URL(`${redirectUri}#${callback({}).searchParams}`);
      const inQuery = new URL(url);
      inQuery.searchParams.set(name, 'planted');
      const inFragment = new URL(url);
      inFragment.hash = `${inFragment.hash.slice(1)}&${name}=planted`;
      for (const each of [inQuery, inFragment]) {
        const error = refusal(each, { responseMode });
        expect(error).toMatchObject({ code: 'callback_refused' });
        expect(error.message).not.toContain('planted');
      }
    }
  });

  it.each(['code', 'state', 'iss'])('is refused when %s stands in it twice [P1]', (name) => {
    const url = callback({});
    url.searchParams.append(name, url.searchParams.get(name) ?? '');
    expect(refusal(url)).toMatchObject({ code: 'callback_refused' });
  });

  it('is refused without a code, and when it is no URL', () => {
    expect(refusal(callback({ code: undefined }))).toMatchObject({ code: 'callback_refused' });
    expect(refusal(callback({ code: '' }))).toMatchObject({ code: 'callback_refused' });
    expect(refusal('https://', { redirectUri })).toMatchObject({ code: 'callback_refused' });
  });

  it('is refused ten minutes after the sign-in began [A3]', () => {
    expect(read(callback({}), { createdAt: clock.time - 600_000 })).toEqual({ code: 'c-1' });
    expect(refusal(callback({}), { createdAt: clock.time - 600_001 })).toMatchObject({ code: 'callback_refused' });
    // A clock that was set back meanwhile ends no sign-in.
    expect(read(callback({}), { createdAt: clock.time + 3_600_000 })).toEqual({ code: 'c-1' });
  });

  it('is read where the response mode puts it, and nowhere else [A13]', async () => {
    for (const responseMode of ['query', 'fragment'] as const) {
      const here = world();
      const begun = await begin(here, { scope: 'openid', responseMode });
      const url = new URL(await visit(here, begun));
      expect(url.hash.includes('code=')).toBe(responseMode === 'fragment');
      expect(readAuthorizationResponse(url, begun.transaction, here.clock).code).toMatch(/^code-/);
      const other = responseMode === 'query' ? 'fragment' : 'query';
      expect(thrown(() => readAuthorizationResponse(url, { ...begun.transaction, responseMode: other }, here.clock))).toMatchObject({
        code: 'callback_refused',
      });
    }
  });
});

describe('an error in a callback', () => {
  it.each([
    ['login_required', 'interaction_required', 'interaction'],
    ['interaction_required', 'interaction_required', 'interaction'],
    ['consent_required', 'interaction_required', 'interaction'],
    ['account_selection_required', 'interaction_required', 'interaction'],
    ['unmet_authentication_requirements', 'interaction_required', 'interaction'],
    ['access_denied', 'login_required', 'interaction'],
    ['server_error', 'server_error', 'transient'],
    ['temporarily_unavailable', 'server_error', 'transient'],
    ['unauthorized_client', 'client_rejected', 'configuration'],
    ['invalid_request', 'request_rejected', 'configuration'],
    ['invalid_scope', 'request_rejected', 'configuration'],
    ['invalid_target', 'request_rejected', 'configuration'],
    ['invalid_request_uri', 'request_rejected', 'configuration'],
    ['unsupported_response_type', 'request_rejected', 'configuration'],
    ['request_not_supported', 'request_rejected', 'configuration'],
    ['something_else', 'unknown_error', 'configuration'],
  ])('%s is %s [A17]', (word, code, kind) => {
    const error = refusal(callback({ code: undefined, error: word, error_description: 'why' }));
    expect(error).toMatchObject({ code, kind, oauthError: word, phase: 'authorization' });
    expect(error.message).toContain(`"${word}": why`);
  });

  it('comes from the server as the user meets it, and goes before a code [A17]', async () => {
    const here = world({ authorizationError: 'login_required' });
    const begun = await begin(here, { prompt: 'none' });
    const url = await visit(here, begun);
    expect(thrown(() => readAuthorizationResponse(url, begun.transaction, here.clock))).toMatchObject({ oauthError: 'login_required', kind: 'interaction' });
    expect(refusal(callback({ error: 'access_denied' }))).toMatchObject({ code: 'login_required', oauthError: 'access_denied' });
  });

  it('is untrusted text: cut, without control characters, and its error_uri is nowhere [P27]', () => {
    const error = refusal(
      callback({
        code: undefined,
        error: `\u001b[31mx${'y'.repeat(200)}`,
        error_description: `\u001b]0;own\u0007 <b>${'long words '.repeat(200)}`,
        error_uri: 'javascript:alert(1)',
      }),
    );
    expect(error.oauthError?.length).toBeLessThanOrEqual(64);
    expect(error.message.length).toBeLessThan(400);
    expect(JSON.stringify(error)).not.toMatch(/\\u001b|\\u0007|javascript/);
  });
});

describe('a mix-up of servers', () => {
  it('sends nothing to either token endpoint, whoever the code is from [A7]', async () => {
    const honest = world();
    const evil = world();
    const begun = await begin(honest);
    const url = await visit(honest, begun);
    const foreign = url.replace(encodeURIComponent('https://as.test'), encodeURIComponent('https://evil.test'));
    expect(thrown(() => readAuthorizationResponse(foreign, begun.transaction, honest.clock))).toMatchObject({ code: 'callback_refused' });
    const { code } = readAuthorizationResponse(url, begun.transaction, honest.clock);
    const atEvil = { ...begun.transaction, issuer: 'https://evil.test' };
    expect(await failure(redeemCode(evil.server, atEvil, { code }, evil.given))).toMatchObject({ code: 'callback_refused' });
    expect(await failure(redeemCode(evil.server, { ...begun.transaction, clientId: 'another' }, { code: `${code}2` }, context()))).toMatchObject({
      code: 'callback_refused',
    });
    expect([honest.as.tokenRequests, evil.as.tokenRequests]).toEqual([0, 0]);
  });
});

describe('a URL in the address bar', () => {
  it('gives the state of the response that it carries, and none where it carries none', () => {
    expect(stateOf(callback({}))).toBe(transaction.state);
    expect(stateOf(callback({ code: undefined, error: 'access_denied' }).href)).toBe(transaction.state);
    expect(stateOf(`${redirectUri}#${callback({}).searchParams}`)).toBe(transaction.state);
    for (const url of [redirectUri, `${redirectUri}?state=NY`, `${redirectUri}?code=5`, `${redirectUri}#/state=1`, 'no url'])
      expect(stateOf(url)).toBeUndefined();
  });

  it('is left without the response, with what the app has in it [A9]', () => {
    expect(withoutResponse(callback({ tenant: '1', error_description: 'x' }))).toBe('https://app.example/cb?tenant=1');
    expect(withoutResponse(new URL(`${redirectUri}?tenant=1#${callback({}).searchParams}`))).toBe('https://app.example/cb?tenant=1');
    expect(withoutResponse(new URL('https://app.example/cb?code=1&state=2#section'))).toBe('https://app.example/cb#section');
  });
});

describe('a callback, judged by oauth4webapi as well', () => {
  const { issuer, state } = transaction;
  const values = (...good: string[]) =>
    fc.array(fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...good) }, fc.constantFrom('', 'x', 'https://as.test/')), { maxLength: 2 });
  const parts = {
    state: values(state),
    iss: values(issuer),
    error: values('access_denied'),
    code: values('c-1'),
    response: fc.subarray(['jwt']),
    id_token: fc.subarray(['t']),
  };
  const mostly = <T>(good: T, any: fc.Arbitrary<T>) => fc.oneof({ weight: 4, arbitrary: fc.constant(good) }, any);
  const responses = fc.record({
    state: mostly([state], parts.state),
    iss: mostly([issuer], parts.iss),
    error: mostly<string[]>([], parts.error),
    code: mostly(['c-1'], parts.code),
    response: mostly<string[]>([], parts.response),
    id_token: mostly<string[]>([], parts.id_token),
    isIssuerNamed: fc.boolean(),
  });

  it('is never taken where the library refuses it, and an error of the server is one to both [A4] [A6]', () => {
    const seen = new Set<string>();
    fc.assert(
      fc.property(responses, ({ isIssuerNamed, ...members }) => {
        const url = new URL(redirectUri);
        for (const [name, all] of Object.entries(members)) for (const value of all) url.searchParams.append(name, value);
        const server = { issuer, authorization_response_iss_parameter_supported: isIssuerNamed };
        const judged = outcomeOf(
          () => oauth.validateAuthResponse(server, { client_id: 'app' }, url, state),
          (error) => error instanceof oauth.AuthorizationResponseError,
        );
        const read = outcomeOf(
          () => readAuthorizationResponse(url, { ...transaction, isIssuerNamed }, clock),
          (error) => Reflect.get(Object(error), 'oauthError') !== undefined,
        );
        seen.add(`${judged} ${read}`);
        // It looks for the code in a later step, and for a token in the URL only where there is no error.
        const isUsable = members.code.length === 1 && members.code[0] !== '' && members.id_token.length === 0;
        expect(read).toBe(isUsable || (judged === 'error' && members.id_token.length === 0) ? judged : 'refused');
      }),
      { numRuns: 2_000 },
    );
    expect([...seen].sort()).toEqual(['error error', 'error refused', 'refused refused', 'taken refused', 'taken taken']);
  });
});

function outcomeOf(judge: () => unknown, isError: (error: unknown) => boolean): 'taken' | 'error' | 'refused' {
  try {
    judge();
    return 'taken';
  } catch (error) {
    return isError(error) ? 'error' : 'refused';
  }
}

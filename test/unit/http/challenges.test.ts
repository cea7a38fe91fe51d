import { describe, expect, it } from 'vitest';
import type { ResourceChallenge } from '../../../src/http.js';
import { adapters, FakeTokens, record, serve, type TestServer } from './support.js';

const claims = '{"access_token":{"nbf":{"essential":true,"value":"1604106651"},"name":{"value":"Zoë ÿ>?"}}}';
const encoded = Buffer.from(claims).toString('base64');

function answering(status: number, ...challenges: string[]): Promise<TestServer> {
  return serve((_, response) => response.writeHead(status, challenges.length > 0 ? { 'www-authenticate': challenges } : {}).end('the body'));
}

describe.each(adapters)('a challenge through $name', ({ make }) => {
  async function call(
    api: TestServer,
  ): Promise<{ sends: number; renewals: number; status: number; text: string; challenges: ResourceChallenge[]; events: ReturnType<typeof record>['events'] }> {
    const tokens = new FakeTokens();
    const { events, onEvent } = record();
    const challenges: ResourceChallenge[] = [];
    const response = await make(tokens, { allow: [api.origin], onEvent, onChallenge: (challenge) => challenges.push(challenge) })(`${api.origin}/a`);
    return { status: response.status, text: await response.text(), sends: api.seen.length, renewals: tokens.renewals, challenges, events };
  }

  it.each<[string, number, string[], number]>([
    ['no challenge at all, or none that CORS shows', 401, [], 1],
    ['one that is malformed', 401, ['Bearer error="invalid'], 1],
    ['a bare Bearer', 401, ['Bearer'], 1],
    ['Bearer with a realm', 401, ['Bearer realm="x"'], 1],
    ['invalid_token', 401, ['Bearer error="invalid_token"'], 1],
    ['DPoP invalid_token', 401, ['DPoP error="invalid_token"'], 1],
    ["a server's own word", 401, ['Bearer error="token_expired"'], 1],
    ['invalid_token beside Basic', 401, ['Basic realm="x"', 'bearer error="invalid_token"'], 1],
    ['invalid_token beside another error', 401, ['DPoP error="invalid_request"', 'Bearer error="invalid_token"'], 1],
    ['invalid_request', 401, ['Bearer error="invalid_request"'], 0],
    ['Basic alone', 401, ['Basic realm="x"'], 0],
    ['Negotiate alone', 401, ['Negotiate abc=='], 0],
    ['invalid_token with 403', 403, ['Bearer error="invalid_token"'], 0],
    ['403 alone', 403, [], 0],
    ['400 with a challenge', 400, ['Bearer error="invalid_token"'], 0],
  ])('%s [H8] [H10] [H11]', async (_, status, challenges, renewals) => {
    await using api = await answering(status, ...challenges);
    expect(await call(api)).toMatchObject({ status, text: 'the body', renewals, sends: 1 + renewals, challenges: [] });
  });

  it.each([401, 403])('insufficient_scope with %i renews nothing, names the union of scopes, and the response is untouched [H15] [gap 16]', async (status) => {
    await using api = await answering(status, 'Bearer error="insufficient_scope", scope="write  read admin"');
    const seen = await call(api);
    expect(seen).toMatchObject({ status, text: 'the body', sends: 1, renewals: 0 });
    const scopes = ['read', 'write', 'admin'];
    expect(seen.challenges).toMatchObject([
      { error: 'insufficient_scope', status, origin: api.origin, scopes, challenge: { scheme: 'bearer', params: { scope: 'write  read admin' } } },
    ]);
    expect(seen.events).toEqual([{ type: 'step_up', origin: api.origin, error: 'insufficient_scope', scopes, acrValues: [], maxAgeMs: undefined }]);
  });

  it('insufficient_user_authentication hands on acr_values and max_age [H16]', async () => {
    await using api = await answering(401, 'Bearer error="insufficient_user_authentication", acr_values="gold silver", max_age="300"');
    const seen = await call(api);
    expect(seen).toMatchObject({ status: 401, text: 'the body', sends: 1, renewals: 0 });
    expect(seen.challenges).toMatchObject([{ error: 'insufficient_user_authentication', acrValues: ['gold', 'silver'], maxAgeMs: 300_000, claims: undefined }]);
    expect(seen.events).toEqual([
      { type: 'step_up', origin: api.origin, error: 'insufficient_user_authentication', scopes: ['read'], acrValues: ['gold', 'silver'], maxAgeMs: 300_000 },
    ]);
  });

  it.each([
    ['standard', encoded, claims],
    ['url', encoded.replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', ''), claims],
    ['broken', '%%%', undefined],
    ['not JSON', Buffer.from('{').toString('base64'), undefined],
  ])('insufficient_claims hands on the decoded claims (%s alphabet) [H17]', async (_, text, expected) => {
    await using api = await answering(401, `Bearer realm="", error="insufficient_claims", claims="${text}"`);
    const seen = await call(api);
    expect(seen).toMatchObject({ status: 401, sends: 1, renewals: 0 });
    expect(seen.challenges.map((challenge) => challenge.claims)).toEqual([expected]);
  });

  it.each<[string, () => unknown]>([
    [
      'throws',
      () => {
        throw new Error('handler');
      },
    ],
    ['rejects', () => Promise.reject(new Error('handler'))],
  ])('a handler that %s changes nothing for the call [S20]', async (_, fail) => {
    await using api = await answering(403, 'Bearer error="insufficient_scope"');
    const response = await make(new FakeTokens(), { allow: [api.origin], onChallenge: fail, onEvent: fail })(`${api.origin}/a`);
    expect([response.status, await response.text()]).toEqual([403, 'the body']);
  });

  it('a handler may ask for a token [S20]', async () => {
    await using api = await answering(403, 'Bearer error="insufficient_scope"');
    const tokens = new FakeTokens();
    let value = '';
    const onChallenge = async (): Promise<void> => {
      value = (await tokens.getToken()).value;
    };
    await make(tokens, { allow: [api.origin], onChallenge })(`${api.origin}/a`);
    expect(value).toBe('token-0');
  });

  it.each<[string, (response: Response) => boolean | Promise<boolean>, number]>([
    ['says no', () => false, 0],
    ['says yes', () => true, 1],
    ['reads the body and says no', async (response) => (await response.text()) !== 'the body', 0],
    ['throws', () => Promise.reject(new Error('predicate')), 1],
  ])('isTokenRejected %s; the response stays whole [H8]', async (_, isTokenRejected, renewals) => {
    await using api = await answering(401);
    const tokens = new FakeTokens();
    const response = await make(tokens, { allow: [api.origin], isTokenRejected })(`${api.origin}/a`);
    expect([response.status, await response.text(), tokens.renewals]).toEqual([401, 'the body', renewals]);
  });
});

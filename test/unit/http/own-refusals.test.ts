import { clientSecretBasic } from 'tokenkeep';
import { createAuthFetch, type RejectedToken, rejectedToken } from 'tokenkeep/http';
import { createServiceClient } from 'tokenkeep/server';
import { fakeAuthorizationServer, virtualClock } from 'tokenkeep/testing';
import { describe, expect, it } from 'vitest';
import { adapters, FakeTokens, record, serve } from './support.js';

const json = 'application/json; charset=utf-8';
const slack: RejectedToken = { status: 200, path: 'error', equals: 'token_expired' };
const salesforce: RejectedToken = { status: 401, path: '0.errorCode', equals: 'INVALID_SESSION_ID' };
const expired = { ok: false, error: 'token_expired' };

interface Refusing {
  readonly status: number;
  readonly headers?: Record<string, string>;
  readonly body: unknown;
}

// Refuses the first token in this way and takes any other.
function refusing({ status, headers = { 'content-type': json }, body }: Refusing) {
  return serve(({ headers: sent }, response) => {
    if (sent.authorization === 'Bearer token-0') response.writeHead(status, headers).end(typeof body === 'string' ? body : JSON.stringify(body));
    else response.writeHead(200, { 'content-type': json }).end('{"ok":true}');
  });
}

describe.each(adapters)("an API's own refusal through $name", ({ make }) => {
  it.each<[string, RejectedToken, Refusing]>([
    ['a 200 with an error (Slack)', slack, { status: 200, body: expired }],
    [
      'a 401 with a scheme of its own and an error list (Salesforce)',
      salesforce,
      { status: 401, headers: { 'content-type': json, 'www-authenticate': 'Token' }, body: [{ errorCode: 'INVALID_SESSION_ID' }] },
    ],
    [
      'a member two levels down, in a JSON type of its own',
      { status: 400, path: 'fault.expired', equals: true },
      { status: 400, headers: { 'content-type': 'application/problem+json' }, body: { fault: { expired: true } } },
    ],
    ['a number', { status: 403, path: 'code', equals: 190 }, { status: 403, body: { code: 190 } }],
    ['a status alone', { status: 419 }, { status: 419, headers: {}, body: '' }],
    [
      "a header's error",
      { status: 400, headerError: 'invalid_token' },
      { status: 400, headers: { 'www-authenticate': 'Bearer error="invalid_token"' }, body: '' },
    ],
  ])('%s brings a new token and a second send [H9]', async (_, form, answer) => {
    await using api = await refusing(answer);
    const tokens = new FakeTokens();
    const { events, onEvent } = record();
    const response = await make(tokens, { allow: [api.origin], alsoRejected: rejectedToken([form]), onEvent })(`${api.origin}/a`);
    expect([response.status, await response.text(), tokens.renewals, api.seen.length]).toEqual([200, '{"ok":true}', 1, 2]);
    expect(events.map(({ type }) => type)).toContain('retried');
  });

  it.each<[string, RejectedToken, Refusing]>([
    ['another error', slack, { status: 200, body: { ok: false, error: 'channel_not_found' } }],
    ['another status', slack, { status: 400, body: expired }],
    ['text that is no JSON', slack, { status: 200, body: 'token_expired' }],
    ['a type that is not JSON, which may stream for hours', slack, { status: 200, headers: { 'content-type': 'application/x-ndjson' }, body: expired }],
    ['more than 64 KiB', slack, { status: 200, body: { ...expired, more: 'x'.repeat(65_536) } }],
    ['a member that every object has', { status: 200, path: 'constructor.name', equals: 'Object' }, { status: 200, body: {} }],
    [
      'a header without the body that belongs to it',
      { status: 400, headerError: 'invalid_token', path: 'a', equals: 1 },
      { status: 400, headers: { 'content-type': json, 'www-authenticate': 'Bearer error="invalid_token"' }, body: { a: 2 } },
    ],
  ])('%s is none, and reaches the caller whole [H9]', async (_, form, answer) => {
    await using api = await refusing(answer);
    const tokens = new FakeTokens();
    const response = await make(tokens, { allow: [api.origin], alsoRejected: rejectedToken([form]) })(`${api.origin}/a`);
    const text = await response.text();
    expect(text).toBe(typeof answer.body === 'string' ? answer.body : JSON.stringify(answer.body));
    expect([response.status, tokens.renewals, api.seen.length]).toEqual([answer.status, 0, 1]);
  });

  it('that meets every token is quarantined like a 401, and the last answer is whole [H9] [H14]', async () => {
    await using api = await serve((_, response) => response.writeHead(200, { 'content-type': json }).end(JSON.stringify(expired)));
    const tokens = new FakeTokens();
    const { events, onEvent } = record();
    const call = make(tokens, { allow: [api.origin], alsoRejected: rejectedToken([slack]), onEvent });
    for (let count = 0; count < 5; count++) expect(await (await call(`${api.origin}/a`)).json()).toEqual(expired);
    expect(tokens.renewals).toBe(1);
    expect(events.filter(({ type }) => type === 'quarantined')).toHaveLength(1);
  });
});

describe('rejectedToken', () => {
  it('leaves a body that never ends to the caller when the call is aborted [H9] [H23]', async () => {
    const abort = new AbortController();
    const endless = new ReadableStream({ pull: () => new Promise(() => undefined) });
    const api = createAuthFetch(new FakeTokens(), {
      allow: ['https://api.test'],
      alsoRejected: rejectedToken([slack]),
      fetch: async () => {
        setImmediate(() => abort.abort(new Error('enough')));
        return new Response(endless, { headers: { 'content-type': json } });
      },
    });
    await expect(api('https://api.test/a', { signal: abort.signal })).rejects.toThrow('enough');
  });

  it('waits five seconds for a body that never ends, and leaves it to the caller [H9]', async () => {
    const clock = virtualClock();
    const endless = new ReadableStream({ start: (body) => body.enqueue(new TextEncoder().encode('{"ok":false')) });
    const tokens = new FakeTokens();
    const api = createAuthFetch(tokens, {
      allow: ['https://api.test'],
      alsoRejected: rejectedToken([slack], { clock }),
      fetch: async () => new Response(endless, { headers: { 'content-type': json } }),
    });
    const call = api('https://api.test/a');
    await clock.advance(5_000);
    const { value } = (await (await call).body?.getReader().read()) ?? {};
    expect(new TextDecoder().decode(value)).toBe('{"ok":false');
    expect(tokens.renewals).toBe(0);
    expect(clock.pending).toBe(0);
  });

  it("comes from the preset in a service client's HTTP client [H9]", async () => {
    const clock = virtualClock();
    const server = fakeAuthorizationServer({ clock, clients: { billing: 'secret' } });
    await using client = createServiceClient({
      server: server.metadata,
      clientId: 'billing',
      auth: clientSecretBasic('secret'),
      fetch: server.fetch,
      clock,
      preset: { rejectedToken: [slack] },
    });
    const sent: (string | null)[] = [];
    const http = client.http({
      prefix: 'https://api.test/',
      fetch: async (_, init) => {
        sent.push(new Headers(init?.headers).get('authorization'));
        return Response.json(sent.length === 1 ? expired : { ok: true });
      },
    });
    expect(await http('a').json()).toEqual({ ok: true });
    expect(new Set(sent).size).toBe(2);
  });
});

import { describe, expect, it } from 'vitest';
import { TokenError } from '../../../src/core/errors.js';
import { adapters, FakeTokens, guarded, record, serve } from './support.js';

describe.each(adapters)('through $name', ({ make }) => {
  it('presents the token in the Authorization header and nowhere else [H3] [gap 17]', async () => {
    await using api = await serve(guarded(() => true));
    const response = await make(new FakeTokens(), { allow: [api.origin] })(`${api.origin}/things?q=1`);
    expect(response.status).toBe(200);
    expect(api.authorizations()).toEqual(['Bearer token-0']);
    expect(api.seen[0]?.url).toBe('/things?q=1');
  });

  it('renews a refused token once and sends the request again, body and all [H10] [H13]', async () => {
    await using api = await serve(guarded((token) => token === 'token-1'));
    const tokens = new FakeTokens();
    const { events, onEvent } = record();
    const response = await make(tokens, { allow: [api.origin], onEvent })(`${api.origin}/things`, { method: 'POST', body: 'written once' });
    expect(await response.text()).toBe('written once');
    expect(api.authorizations()).toEqual(['Bearer token-0', 'Bearer token-1']);
    expect(api.seen.map(({ body }) => String(body))).toEqual(['written once', 'written once']);
    expect(tokens.renewals).toBe(1);
    expect(events).toEqual([{ type: 'retried', origin: api.origin, status: 200 }]);
  });

  it('hands on a second 401 as it is: exactly two sends [H10]', async () => {
    await using api = await serve(guarded(() => false));
    const tokens = new FakeTokens();
    const response = await make(tokens, { allow: [api.origin] })(`${api.origin}/things`);
    expect([response.status, await response.text()]).toEqual([401, 'refused']);
    expect(api.seen).toHaveLength(2);
    expect(tokens.renewals).toBe(1);
  });

  it("hands on the API's own 401, with its body, when the renewal fails: one send [H10] [complaint 7]", async () => {
    await using api = await serve(guarded(() => false));
    const tokens = new FakeTokens();
    tokens.failure = new TokenError('server_error', 'down', { phase: 'token' });
    const { events, onEvent } = record();
    const response = await make(tokens, { allow: [api.origin], onEvent })(`${api.origin}/things`);
    expect([response.status, await response.text()]).toEqual([401, 'refused']);
    expect(response.headers.get('www-authenticate')).toBe('Bearer error="invalid_token"');
    expect(api.seen).toHaveLength(1);
    expect(events).toEqual([{ type: 'renewal_unavailable', origin: api.origin, error: tokens.failure }]);
  });
});

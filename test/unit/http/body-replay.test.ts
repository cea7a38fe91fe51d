import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { createAuthFetch } from '../../../src/http.js';
import { adapters, FakeTokens, guarded, record, serve, settle } from './support.js';

const mebibyte = 1_048_576;
const bytes = Uint8Array.from({ length: 300 }, (_, index) => index % 256);

const hash = (body: Uint8Array): string => createHash('sha256').update(body).digest('hex');

// The boundary of a form is chosen anew with each serialisation where fetch serialises.
const plain = (body: Buffer, type = ''): string => String(body).replaceAll(/boundary=(.*)$/.exec(type)?.[1] ?? '\0', 'BOUNDARY');

function form(): FormData {
  const data = new FormData();
  data.set('text', 'ä\r\n"b"');
  data.set('file', new Blob([bytes], { type: 'image/png' }), 'x.png');
  return data;
}

function stream(chunks: Iterable<Uint8Array>): ReadableStream<Uint8Array> {
  const iterator = chunks[Symbol.iterator]();
  return new ReadableStream({
    pull(controller) {
      const { done, value } = iterator.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
  });
}

describe.each(adapters)('a refused request through $name', ({ name, make }) => {
  it.each<[string, () => BodyInit, string | undefined]>([
    ['text', () => 'grüße\r\n', 'text/plain;charset=UTF-8'],
    ['an empty text', () => '', 'text/plain;charset=UTF-8'],
    ['URLSearchParams', () => new URLSearchParams({ a: 'b c', ä: '&' }), 'application/x-www-form-urlencoded;charset=UTF-8'],
    ['FormData', form, undefined],
    ['a Blob', () => new Blob([bytes], { type: 'image/png' }), 'image/png'],
    ['an ArrayBuffer', () => bytes.slice().buffer, undefined],
    ['a view into a buffer', () => bytes.subarray(10, 20), undefined],
    ['a DataView', () => new DataView(bytes.slice().buffer, 5, 7), undefined],
    ['1 MiB of bytes', () => new Uint8Array(mebibyte).fill(7), undefined],
  ])('is sent again with %s, byte for byte [H13] [gap 16]', async (_, body, type) => {
    await using api = await serve(guarded((token) => token === 'token-1'));
    const response = await make(new FakeTokens(), { allow: [api.origin] })(`${api.origin}/things`, {
      method: 'PUT',
      body: body(),
      headers: { 'x-mine': 'yes' },
    });
    expect(response.status).toBe(200);
    const [first, second] = api.seen;
    expect(plain(second?.body ?? Buffer.of(), second?.headers['content-type'])).toBe(plain(first?.body ?? Buffer.of(), first?.headers['content-type']));
    expect(second?.headers['content-length']).toBe(String(second?.body.length));
    expect(second?.headers['content-type']?.replace(/boundary=.*/, '')).toBe(first?.headers['content-type']?.replace(/boundary=.*/, ''));
    expect([second?.method, second?.headers['x-mine']]).toEqual(['PUT', 'yes']);
    if (type !== undefined) expect(second?.headers['content-type']).toBe(type);
    // What the caller gave, not only what was sent first.
    const expected = new Uint8Array(await new Response(body()).arrayBuffer());
    if (!(body() instanceof FormData)) expect(hash(second?.body ?? Buffer.of())).toBe(hash(expected));
  });

  it('goes to the caller when its body was a stream without an end in sight, and the renewal is for later calls [H13] [gap 16]', async () => {
    await using api = await serve(guarded((token) => token === 'token-1'));
    const tokens = new FakeTokens();
    const { events, onEvent } = record();
    const call = make(tokens, { allow: [api.origin], onEvent });
    const chunk = new Uint8Array(65_536).fill(1);
    const response = await call(`${api.origin}/things`, { method: 'POST', body: stream(Array.from({ length: 40 }, () => chunk)), ...{ duplex: 'half' } });
    expect([response.status, await response.text()]).toEqual([401, 'refused']);
    expect(api.seen.map(({ body }) => body.length)).toEqual([40 * 65_536]);
    expect(events).toEqual([{ type: 'not_replayable', origin: api.origin }]);
    await settle();
    expect(tokens.renewals).toBe(1);
    expect((await call(`${api.origin}/things`)).status).toBe(200);
    expect(tokens.renewals).toBe(1);
  });

  it('keeps more than 1 MiB only with replayBody: true, or where the type can be sent again [H13]', async () => {
    await using api = await serve(guarded((token) => token === 'token-1'));
    const body = 'x'.repeat(mebibyte + 1);
    const byType = name === 'plain fetch' || name === 'a URL input';
    expect((await make(new FakeTokens(), { allow: [api.origin] })(`${api.origin}/a`, { method: 'POST', body })).status).toBe(byType ? 200 : 401);
    expect((await make(new FakeTokens(), { allow: [api.origin], replayBody: true })(`${api.origin}/a`, { method: 'POST', body })).status).toBe(200);
    expect(api.seen.at(-1)?.body.length).toBe(mebibyte + 1);
  });

  it('is not read beside its send with replayBody: false [H13]', async () => {
    await using api = await serve(guarded((token) => token === 'token-1'));
    const byType = name === 'plain fetch' || name === 'a URL input';
    const response = await make(new FakeTokens(), { allow: [api.origin], replayBody: false })(`${api.origin}/a`, { method: 'POST', body: 'x' });
    expect(response.status).toBe(byType ? 200 : 401);
  });
});

describe('a Request', () => {
  it('is not cloned when it has no body, or when the call may be neither repeated nor redirected [H13]', async () => {
    let clones = 0;
    class Counted extends Request {
      override clone(): Request {
        clones += 1;
        return super.clone();
      }
    }
    const api = createAuthFetch(new FakeTokens(), { allow: ['https://api.test'], fetch: async () => new Response() });
    await api(new Counted('https://api.test/'));
    await api(new Counted('https://api.test/', { method: 'POST', body: 'x' }), { ...{ retryOn401: false, redirect: 'manual' } });
    expect(clones).toBe(0);
    await api(new Counted('https://api.test/', { method: 'POST', body: 'x' }));
    expect(clones).toBe(1);
  });

  it('with a body that is not at its end yet is not repeated, and its clone is let go [H13]', async () => {
    const cancelled: unknown[] = [];
    const endless = new ReadableStream<Uint8Array>({ start: (controller) => controller.enqueue(bytes), cancel: (reason) => void cancelled.push(reason) });
    const fetch = async (input: RequestInfo | URL): Promise<Response> => {
      if (input instanceof Request) void input.body?.cancel('sender');
      return new Response('early', { status: 401 });
    };
    const api = createAuthFetch(new FakeTokens(), { allow: ['https://api.test'], fetch });
    const response = await api(new Request('https://api.test/', { method: 'POST', body: endless, ...{ duplex: 'half' } }));
    expect(await response.text()).toBe('early');
    await settle();
    // Both branches of the clone have to let go before the source hears of it.
    expect(cancelled).toHaveLength(1);
  });

  it('whose body is used up fails as fetch fails it', async () => {
    await using server = await serve(guarded(() => true));
    const request = new Request(server.origin, { method: 'POST', body: 'x' });
    await request.text();
    await expect(createAuthFetch(new FakeTokens(), { allow: [server.origin] })(request)).rejects.toThrow(TypeError);
  });

  it('hands over non-standard members of init at both sends, without its own', async () => {
    const inits: (RequestInit | undefined)[] = [];
    const fetch = async (_: RequestInfo | URL, init?: RequestInit): Promise<Response> => {
      inits.push(init);
      return new Response(null, { status: inits.length === 1 ? 401 : 200 });
    };
    const api = createAuthFetch(new FakeTokens(), { allow: ['https://api.test'], fetch });
    const dispatcher = {};
    await api(new Request('https://api.test/'), { ...{ dispatcher, next: { revalidate: 1 }, auth: true, retryOn401: true } });
    expect(inits).toHaveLength(2);
    for (const init of inits) {
      expect(init).toMatchObject({ dispatcher, next: { revalidate: 1 } });
      expect(init).not.toHaveProperty('auth');
      expect(init).not.toHaveProperty('retryOn401');
    }
  });

  it("lets go of the refused response's body before the second send [H10]", async () => {
    const order: string[] = [];
    const refused = new ReadableStream({ cancel: () => void order.push('cancelled') });
    const fetch = async (): Promise<Response> => {
      order.push('sent');
      return order.length === 1 ? new Response(refused, { status: 401 }) : new Response();
    };
    await createAuthFetch(new FakeTokens(), { allow: ['https://api.test'], fetch })('https://api.test/');
    expect(order).toEqual(['sent', 'cancelled', 'sent']);
  });
});

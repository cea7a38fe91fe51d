import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { clientSecretPost } from '../../../src/protocol/client-auth/client-auth.js';
import { clientCredentials } from '../../../src/protocol/grants/client-credentials.js';
import { refreshToken } from '../../../src/protocol/grants/refresh-token.js';
import { context, failure, fakeServer, good, json, server } from './wire.js';

const open: Server[] = [];

async function listen(handler: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> {
  const http = createServer(handler);
  open.push(http);
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
}

afterEach(async () => {
  for (const http of open.splice(0)) {
    http.closeAllConnections();
    await new Promise((resolve) => http.close(resolve));
  }
});

const auth = clientSecretPost('s3cret');
const at = (origin: string) => ({ issuer: origin, token_endpoint: `${origin}/token`, revocation_endpoint: `${origin}/revoke` });

describe('the exchange with a real server', () => {
  it('gets a token over a socket [P1]', async () => {
    const origin = await listen((_request, response) => response.setHeader('content-type', 'application/json').end(JSON.stringify(good)));
    await expect(clientCredentials({ server: at(origin), clientId: 'svc', auth }).request(undefined, context())).resolves.toMatchObject({
      accessToken: 'at-1',
    });
  });

  it.each([200, 400])('gives an endless body with status %i up within the cap and closes the socket [P22]', async (status) => {
    let sentBytes = 0;
    let closed: () => void = () => undefined;
    const isClosed = new Promise<void>((resolve) => {
      closed = resolve;
    });
    const origin = await listen((request, response) => {
      response.writeHead(status, { 'content-type': 'application/json' });
      request.socket.once('close', closed);
      const pump = () => {
        while (!response.destroyed && response.write(' '.repeat(16_384))) sentBytes += 16_384;
        if (!response.destroyed) response.once('drain', pump);
      };
      pump();
    });
    const error = await failure(clientCredentials({ server: at(origin), clientId: 'svc', auth }).request(undefined, context()));
    expect(error).toMatchObject({ code: 'invalid_response', kind: 'transient', message: expect.stringContaining('size limit') });
    await isClosed;
    expect(sentBytes).toBeLessThan(20 * 1024 * 1024);
  });

  it('counts a compressed body as it is decompressed [P22]', async () => {
    const bomb = gzipSync(`{"access_token":"${'x'.repeat(50_000_000)}"}`);
    expect(bomb.length).toBeLessThan(100_000);
    const origin = await listen((_request, response) => response.writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' }).end(bomb));
    expect(await failure(clientCredentials({ server: at(origin), clientId: 'svc', auth }).request(undefined, context()))).toMatchObject({
      code: 'invalid_response',
    });
  });

  it('reads an answer of exactly 256 KiB and refuses one byte more [P22]', async () => {
    const body = (length: number) => JSON.stringify(good).padEnd(length, ' ');
    for (const [length, isRead] of [
      [256 * 1024, true],
      [256 * 1024 + 1, false],
    ] as const) {
      const origin = await listen((_request, response) => response.setHeader('content-type', 'application/json').end(body(length)));
      const answer = clientCredentials({ server: at(origin), clientId: 'svc', auth }).request(undefined, context());
      if (isRead) await expect(answer).resolves.toMatchObject({ accessToken: 'at-1' });
      else expect(await failure(answer)).toMatchObject({ code: 'invalid_response' });
    }
  });

  it.each([301, 302, 303, 307, 308])('does not follow a %i, so that nothing reaches where it points [P23]', async (status) => {
    let trapped = 0;
    const trap = await listen((_request, response) => {
      trapped += 1;
      response.end();
    });
    const origin = await listen((_request, response) => response.writeHead(status, { location: `${trap}/steal` }).end());
    const grant = refreshToken({ server: at(origin), clientId: 'svc', auth, refreshToken: 'rt' });
    expect(await failure(grant.request(undefined, context()))).toMatchObject({ code: 'redirect_refused', kind: 'configuration', status, phase: 'token' });
    const revoked = failure(grant.revoke?.({ accessToken: 'at', tokenType: 'Bearer', sentAt: 0, lifetimeMs: 1, scope: [] }, context()) ?? Promise.resolve());
    expect(await revoked).toMatchObject({ code: 'redirect_refused', phase: 'revocation' });
    const discovering = clientCredentials({ issuer: origin, clientId: 'svc', auth });
    expect(await failure(discovering.request(undefined, context()))).toMatchObject({ code: 'redirect_refused', phase: 'discovery' });
    expect(trapped).toBe(0);
  });

  it('takes the opaque redirect of browsers, and one that a fetch has already followed, as redirects too [P23] [L3]', async () => {
    for (const shape of [{ type: 'opaqueredirect', status: 0 }, { redirected: true }]) {
      const fake = fakeServer(() => new Proxy(json(good)(), { get: (target, name) => (name in shape ? Reflect.get(shape, name) : Reflect.get(target, name)) }));
      expect(await failure(clientCredentials({ server, clientId: 'svc', auth, fetch: fake.fetch }).request(undefined, context()))).toMatchObject({
        code: 'redirect_refused',
      });
    }
  });

  it('calls a refused connection and one that breaks in the answer network errors [R10]', async () => {
    const origin = await listen((_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': '100' });
      response.write('{"access_', () => response.destroy());
    });
    expect(await failure(clientCredentials({ server: at(origin), clientId: 'svc', auth }).request(undefined, context()))).toMatchObject({
      code: 'network_error',
    });
    const error = await failure(clientCredentials({ server: at('http://127.0.0.1:1'), clientId: 'svc', auth }).request(undefined, context()));
    expect(error).toMatchObject({ code: 'network_error', kind: 'transient' });
  });

  it('stops reading an answer that drips, when the attempt is aborted [P22]', async () => {
    const limit = new AbortController();
    const reason = new Error('time is up');
    let closed: () => void = () => undefined;
    const isClosed = new Promise<void>((resolve) => {
      closed = resolve;
    });
    const origin = await listen((request, response) => {
      request.socket.once('close', closed);
      response.writeHead(200, { 'content-type': 'application/json' });
      response.write('{', () => limit.abort(reason));
    });
    await expect(clientCredentials({ server: at(origin), clientId: 'svc', auth }).request(undefined, context({ signal: limit.signal }))).rejects.toBe(reason);
    await isClosed;
  });

  it('stops reading and cancels the stream even where the fetch takes no notice of the signal [P22]', async () => {
    const limit = new AbortController();
    const reason = new Error('time is up');
    let cancelled = false;
    const fake = fakeServer(
      () =>
        new Response(
          new ReadableStream({
            pull: () => limit.abort(reason),
            cancel: () => {
              cancelled = true;
            },
          }),
        ),
    );
    await expect(clientCredentials({ server, clientId: 'svc', auth, fetch: fake.fetch }).request(undefined, context({ signal: limit.signal }))).rejects.toBe(
      reason,
    );
    expect(cancelled).toBe(true);
  });

  it('reads what a fetch without streams answers, within the same cap [P22]', async () => {
    const bare = (body: string) => () =>
      new Proxy(json(good)(), { get: (_target, name) => (name === 'body' ? undefined : name === 'text' ? async () => body : Reflect.get(json(good)(), name)) });
    const send = (body: string) => clientCredentials({ server, clientId: 'svc', auth, fetch: fakeServer(bare(body)).fetch }).request(undefined, context());
    await expect(send(JSON.stringify(good))).resolves.toMatchObject({ accessToken: 'at-1' });
    expect(await failure(send(JSON.stringify(good).padEnd(300_000, ' ')))).toMatchObject({ code: 'invalid_response' });
  });
});

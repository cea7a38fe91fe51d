import { createServer, request as httpRequest, type Server } from 'node:http';
import { connect } from 'node:net';
import { close, listen } from '../../../examples/demo/authorization-server.js';

export interface ForwardingProxy extends AsyncDisposable {
  readonly url: string;
  /** What it was asked to carry: `POST http://…` or `CONNECT host:port`. */
  readonly carried: string[];
}

/** An HTTP proxy: forwards requests with an absolute URL, and opens tunnels (RFC 9110 §7.1, §9.3.6). */
export async function startForwardingProxy(): Promise<ForwardingProxy> {
  const carried: string[] = [];
  const server: Server = createServer((request, response) => {
    carried.push(`${request.method} ${request.url}`);
    const onward = httpRequest(request.url ?? '', { method: request.method, headers: request.headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    onward.on('error', () => response.writeHead(502).end());
    request.pipe(onward);
  });
  server.on('connect', (request, client, head: Buffer) => {
    carried.push(`CONNECT ${request.url}`);
    const { hostname, port } = new URL(`http://${request.url}`);
    const onward = connect(Number(port), hostname, () => {
      client.write('HTTP/1.1 200 Connection Established\r\n\r\n');
      onward.write(head);
      onward.pipe(client).pipe(onward);
    });
    for (const [from, to] of [
      [client, onward],
      [onward, client],
    ] as const) {
      from.on('error', () => to.destroy());
      from.on('close', () => to.destroy());
    }
  });
  const url = `http://127.0.0.1:${await listen(server)}`;
  return { url, carried, [Symbol.asyncDispose]: () => close(server) };
}

/** A `fetch` that sends everything to a proxy, as an application would write one for clients that take a `fetch`. */
export function fetchThrough(proxyUrl: string): typeof fetch {
  return async (input, init) => {
    const request = new Request(input, init);
    const body = Buffer.from(await request.arrayBuffer());
    return new Promise((resolve, reject) => {
      const { hostname, port } = new URL(proxyUrl);
      const headers = { ...Object.fromEntries(request.headers), host: new URL(request.url).host };
      const outgoing = httpRequest({ hostname, port, method: request.method, path: request.url, headers, signal: request.signal }, (answer) => {
        const chunks: Buffer[] = [];
        answer.on('data', (chunk: Buffer) => chunks.push(chunk));
        answer.on('end', () =>
          resolve(new Response(Buffer.concat(chunks), { status: answer.statusCode ?? 502, headers: { 'content-type': answer.headers['content-type'] ?? '' } })),
        );
        answer.on('error', reject);
      });
      outgoing.on('error', reject);
      outgoing.end(body);
    });
  };
}

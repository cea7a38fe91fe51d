// node:http for a handler that takes a Request and gives a Response. Hono, Next.js, Deno and Bun take such a handler as it is.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';

export type Handler = (request: Request) => Promise<Response>;

export interface Site {
  readonly port: number;
  /** From now on requests to this origin are answered so; nobody is before. */
  answer(origin: string, handler: Handler): void;
  close(): Promise<void>;
}

const longestBody = 64 * 1024;

/** Serves this machine; behind it stands whatever ends TLS. 0 takes a free port. */
export async function serve(port: number): Promise<Site> {
  let answer = async (_incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> => void outgoing.writeHead(503).end();
  const server = createServer((incoming, outgoing) => {
    answer(incoming, outgoing).catch(() => outgoing.destroy());
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(port, '127.0.0.1', resolve);
  });
  const address = server.address();
  return {
    port: typeof address === 'object' && address !== null ? address.port : port,
    answer(origin, handler) {
      const { host } = new URL(origin);
      answer = async (incoming, outgoing) => {
        const body = await readBody(incoming);
        if (body === undefined) return void outgoing.writeHead(413).end();
        // A name that somebody else's DNS points here is not ours.
        if (incoming.headers.host !== host) return void outgoing.writeHead(421).end();
        const response = await handler(requestOf(incoming, origin, body));
        for (const [name, value] of response.headers) outgoing.appendHeader(name, value);
        outgoing.writeHead(response.status);
        for await (const chunk of response.body ?? []) outgoing.write(chunk);
        outgoing.end();
      };
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function requestOf({ method = 'GET', url = '/', headersDistinct }: IncomingMessage, origin: string, body: BodyInit & { readonly length: number }): Request {
  const headers = Object.entries(headersDistinct).flatMap(([name, values = []]) => values.map((value): [string, string] => [name, value]));
  // Behind the origin, not resolved against it: as an address of its own `//evil.example/` would be another host.
  return new Request(origin + url, { method, headers, ...(body.length > 0 && { body }) });
}

async function readBody(incoming: IncomingMessage): Promise<Buffer<ArrayBuffer> | undefined> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of incoming) {
    length += chunk.length;
    if (length > longestBody) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

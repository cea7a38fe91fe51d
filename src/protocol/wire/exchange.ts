import { TokenError } from '../../core/errors.js';
import { readText } from '../../core/read-text.js';

const maxAnswerBytes = 256 * 1024;
const maxDocumentBytes = 1024 * 1024;

/** What a request is made for. It decides how large an answer may be. */
export type ExchangePhase = 'discovery' | 'authorization' | 'token' | 'user_info' | 'device' | 'introspection' | 'revocation';

/** An answer of the authorization server, read to its end. */
export interface Answer {
  readonly phase: ExchangePhase;
  readonly origin: string;
  readonly status: number;
  readonly headers: Headers;
  /** Undefined when the body was larger than the cap. */
  readonly text: string | undefined;
}

/** What a request carries. */
export interface Post {
  readonly headers: Record<string, string>;
  readonly body?: URLSearchParams;
}

/** Sends a POST, or without a body a GET. */
export type Send = (url: string, post?: Post) => Promise<Response>;

/**
 * The one place where requests to the authorization server leave: fixed options, no redirects, a bounded body, and
 * failures that name a cause but carry nothing foreign. `start` makes the request and gives it to `send`. `userFetch` left
 * out: the global one at the time of the request. (`standards.md` P22, P23, P28)
 * @throws {TokenError} `network_error`, `redirect_refused`; the signal's own reason when it aborts.
 */
export async function exchange(
  phase: ExchangePhase,
  userFetch: typeof fetch | undefined,
  signal: AbortSignal,
  start: (send: Send) => Promise<Response>,
): Promise<Answer> {
  let origin = '';
  const send: Send = (url, post) => {
    signal.throwIfAborted();
    origin = new URL(url).origin;
    const fetch = userFetch ?? globalThis.fetch;
    return fetch(url, {
      method: post?.body ? 'POST' : 'GET',
      headers: { ...post?.headers, accept: 'application/json' },
      ...(post?.body && { body: post.body.toString() }),
      signal,
      redirect: 'manual',
      cache: 'no-store',
      credentials: 'omit',
      referrerPolicy: 'no-referrer',
      mode: 'cors',
      // A revocation survives the page that asks for it.
      keepalive: phase === 'revocation',
    });
  };
  try {
    const response = await start(send);
    const { status, headers } = response;
    if (response.type === 'opaqueredirect' || response.redirected || (status >= 300 && status < 400)) {
      response.body?.cancel().catch(() => undefined);
      throw new TokenError('redirect_refused', `${origin} answered with a redirect, which is never followed`, { phase, status });
    }
    if (status < 200) throw new Error('not an HTTP answer');
    return {
      phase,
      origin,
      status,
      headers,
      text: await readText(response, phase === 'discovery' || phase === 'user_info' ? maxDocumentBytes : maxAnswerBytes, signal),
    };
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    // Without an origin nothing was sent: then it is no failure of the network.
    if (origin === '' || error instanceof TokenError) throw error;
    throw new TokenError('network_error', `${origin} could not be reached${errorCode(error)}`, { phase });
  }
}

// Only a system's own code such as ECONNREFUSED: messages of foreign errors may quote the request.
function errorCode(error: unknown): string {
  const source = error instanceof Error && error.cause ? error.cause : error;
  const code: unknown = Reflect.get(Object(source), 'code');
  return typeof code === 'string' && /^[A-Z][A-Z0-9_]{2,39}$/.test(code) ? ` (${code})` : '';
}

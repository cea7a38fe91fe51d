import { allowInsecureRequests, customFetch } from 'oauth4webapi';
import { TokenError, type TokenErrorPhase } from '../core/errors.js';
import { abortable } from '../core/waiting.js';

/** An answer of the authorization server, read to its end. */
export interface Answer {
  readonly origin: string;
  readonly status: number;
  readonly headers: Headers;
  /** Undefined when the body was larger than the cap. */
  readonly text: string | undefined;
}

/** The limits and the way of one request. */
export interface ExchangeOptions {
  readonly phase: TokenErrorPhase;
  /** The user's fetch; undefined: the global one at the time of the request. */
  readonly fetch: typeof fetch | undefined;
  readonly signal: AbortSignal;
  readonly maxBytes: number;
  readonly keepalive?: boolean | undefined;
  /** Called at the moment the request goes out. */
  readonly onSend?: (() => void) | undefined;
}

/** What the protocol library asks to be sent. */
interface OutgoingRequest {
  readonly method: string;
  readonly headers: Record<string, string>;
  readonly body?: URLSearchParams | undefined;
}

/** The options that every request of the protocol library gets. */
export interface LibraryOptions {
  readonly [customFetch]: (url: string, request: OutgoingRequest) => Promise<Response>;
  readonly [allowInsecureRequests]: true;
}

/**
 * The one place where requests to the authorization server leave: fixed options, no redirects, a bounded body, and
 * failures that name a cause but carry nothing foreign. `start` gets the fetch to send with, as the protocol library's options. (`standards.md` P22, P23, P28)
 * @throws {TokenError} `network_error`, `redirect_refused`; the signal's own reason when it aborts.
 */
export async function exchange(options: ExchangeOptions, start: (library: LibraryOptions) => Promise<Response>): Promise<Answer> {
  const { phase, signal } = options;
  let origin = '';
  const guarded = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      if (error instanceof TokenError) throw error;
      throw new TokenError('network_error', `${origin} could not be reached${errorCode(error)}`, { phase });
    }
  };
  const send = (url: string, request: OutgoingRequest): Promise<Response> => {
    origin = new URL(url).origin;
    return guarded(() => {
      signal.throwIfAborted();
      const fetch = options.fetch ?? globalThis.fetch;
      options.onSend?.();
      return fetch(url, {
        method: request.method,
        headers: { ...request.headers, accept: 'application/json' },
        ...(request.body ? { body: request.body.toString() } : {}),
        signal,
        redirect: 'manual',
        cache: 'no-store',
        credentials: 'omit',
        referrerPolicy: 'no-referrer',
        mode: 'cors',
        keepalive: options.keepalive ?? false,
      });
    });
  };
  // Which URLs may be plain http was decided with the configuration, or by discovery.
  const response = await start({ [customFetch]: send, [allowInsecureRequests]: true });
  return guarded(async () => {
    const { status, headers } = response;
    if (response.type === 'opaqueredirect' || response.redirected || (status >= 300 && status < 400)) {
      response.body?.cancel().catch(() => undefined);
      throw new TokenError('redirect_refused', `${origin} answered with a redirect, which is never followed`, {
        phase,
        status,
      });
    }
    return { origin, status, headers, text: await readText(response, options.maxBytes, signal) };
  });
}

// Counted as it streams, after decompression: what does not fit is never held.
async function readText(response: Response, maxBytes: number, signal: AbortSignal): Promise<string | undefined> {
  if (response.status < 200) throw new Error('not an HTTP answer');
  if (!response.body) {
    const text = await response.text();
    return text.length > maxBytes ? undefined : text;
  }
  const reader = response.body.getReader();
  const decoder = new TextDecoder();
  let text = '';
  let bytes = 0;
  try {
    for (;;) {
      const { done, value } = await abortable(reader.read(), signal);
      if (done) return text + decoder.decode();
      bytes += value.byteLength;
      if (bytes > maxBytes) return undefined;
      text += decoder.decode(value, { stream: true });
    }
  } finally {
    reader.cancel().catch(() => undefined);
  }
}

// Only a system's own code such as ECONNREFUSED: messages of foreign errors may quote the request.
function errorCode(error: unknown): string {
  for (const source of [error, error instanceof Error ? error.cause : undefined]) {
    const code: unknown = typeof source === 'object' && source !== null ? Reflect.get(source, 'code') : undefined;
    if (typeof code === 'string' && /^[A-Z][A-Z0-9_]{2,39}$/.test(code)) return ` (${code})`;
  }
  return '';
}

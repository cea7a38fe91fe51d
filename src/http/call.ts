import type { AccessToken } from '../core/access-token.js';
import type { AllowedResource } from './allow-list.js';
import type { KeptBody } from './keep-body.js';

/** One call on its way: what is sent next, and to whom. */
export interface Call {
  readonly signal: AbortSignal | undefined;
  /** Undefined: it has none, or has none any more. */
  body: KeptBody | undefined;
  /** Who the token is for; undefined once a redirect has left the allow-list, and then for good. */
  resource: AllowedResource | undefined;
  token: AccessToken;
  url: URL;
  target: Request | string;
  init: RequestInit & { readonly headers: Headers };
  method: string;
  mayRetry: boolean;
}

/** Lets go of a response that nobody will read, so that its connection is free again. */
export function discard(response: Response): void {
  response.body?.cancel().catch(() => undefined);
}

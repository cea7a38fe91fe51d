/** Which part of the fake server a request reached. `trap`: a host that is none of its own. */
export type Endpoint = 'discovery' | 'token' | 'revocation' | 'introspection' | 'device' | SignInEndpoint | 'api' | 'trap' | 'unknown';

/** The parts that have to do with users. */
export type SignInEndpoint = (typeof signInEndpoints)[number];

export const signInEndpoints = ['authorization', 'pushedAuthorization', 'jwks', 'userInfo', 'endSession'] as const;

/** A request as the fake server saw it, secrets included. */
export interface RecordedRequest {
  readonly endpoint: Endpoint;
  /** When it was sent: epoch milliseconds by the clock that the server was given. */
  readonly at: number;
  readonly url: string;
  readonly method: string;
  readonly headers: Headers;
  readonly body: string;
  readonly bytes: Uint8Array;
  /** SHA-256 of the certificate that the connection presented, base64url. */
  readonly certificateThumbprint: string | undefined;
  /** The parameters of a form-encoded body. */
  readonly params: URLSearchParams;
  /** The request itself, its body used up: for `redirect`, `cache`, `credentials` and the like. */
  readonly request: Request;
}

/** Reads the request to its end. */
export async function recordRequest(request: Request, endpoint: Endpoint, at: number, certificateThumbprint?: string): Promise<RecordedRequest> {
  const bytes = request.body === null ? new Uint8Array() : new Uint8Array(await request.arrayBuffer());
  const body = new TextDecoder().decode(bytes);
  const isForm = request.headers.get('content-type')?.startsWith('application/x-www-form-urlencoded') === true;
  return {
    endpoint,
    at,
    url: request.url,
    method: request.method,
    headers: request.headers,
    body,
    bytes,
    certificateThumbprint,
    params: new URLSearchParams(isForm ? body : ''),
    request,
  };
}

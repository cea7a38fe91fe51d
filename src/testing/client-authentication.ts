import { verifyClientAssertion } from './client-assertion.js';
import type { OAuthFault } from './fake-grant.js';
import type { ClientIdentity } from './fake-client.js';
import type { RecordedRequest } from './recorded-request.js';
import type { Exchange } from './server-context.js';
import type { ServerKnobs } from './server-knobs.js';

interface Credentials {
  readonly method: ServerKnobs['authMethods'][number];
  readonly clientId: string;
  readonly secret: string;
}

/** Which client sent the request, by the rules of RFC 6749 §2.3.1, RFC 7523 §3 and RFC 8705 §2. */
export async function authenticateClient(request: RecordedRequest, exchange: Exchange): Promise<ClientIdentity | OAuthFault> {
  const { knobs, context } = exchange;
  const { params } = request;
  const basic = basicCredentials(request.headers.get('authorization'), knobs.basicDecoding);
  const ways = [basic !== undefined, params.has('client_secret'), params.has('client_assertion')].filter(Boolean).length;
  if (ways > 1 && knobs.rejectDoubleAuthentication) return { error: 'invalid_request', description: 'two client authentications' };
  if (basic === 'malformed' || knobs.rejectClients) return { error: 'invalid_client' };
  if (basic === undefined && params.has('client_assertion')) return verifyClientAssertion(request, exchange);
  const given = basic ?? bodyCredentials(request, exchange);
  if (given === undefined || !knobs.authMethods.includes(given.method))
    return { error: 'invalid_client', description: 'no client authentication of a kind that is taken' };
  if (context.clients === undefined) return { clientId: given.clientId };
  const client = context.clients.get(given.clientId);
  const isRight = given.method.endsWith('tls_client_auth')
    ? request.certificateThumbprint !== undefined && (await client?.certificateThumbprints())?.includes(request.certificateThumbprint)
    : client !== undefined && (given.method === 'none' ? !client.isConfidential : client.secrets.includes(given.secret));
  return isRight ? { clientId: given.clientId } : { error: 'invalid_client', description: 'unknown client, wrong secret or wrong certificate' };
}

// RFC 8705 §2: a certificate alone proves who it is, where the client is known by one.
function bodyCredentials({ params, certificateThumbprint }: RecordedRequest, { knobs, context }: Exchange): Credentials | undefined {
  const clientId = params.get('client_id');
  if (clientId === null) return undefined;
  const secret = params.get('client_secret');
  if (secret !== null) return { method: 'client_secret_post', clientId, secret };
  const byCertificate = knobs.authMethods.find((method) => method.endsWith('tls_client_auth'));
  const isKnownByOne = context.clients === undefined ? certificateThumbprint !== undefined : context.clients.get(clientId)?.hasCertificates;
  return { method: byCertificate !== undefined && isKnownByOne ? byCertificate : 'none', clientId, secret: '' };
}

function basicCredentials(header: string | null, decoding: ServerKnobs['basicDecoding']): Credentials | 'malformed' | undefined {
  const encoded = /^basic +(.*)$/i.exec(header ?? '')?.[1];
  if (encoded === undefined) return undefined;
  try {
    const bytes = Uint8Array.from(atob(encoded), (character) => character.charCodeAt(0));
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    const colon = text.indexOf(':');
    if (colon < 0) return 'malformed';
    const decode = (part: string): string => (decoding === 'form' ? decodeURIComponent(part.replaceAll('+', ' ')) : part);
    return { method: 'client_secret_basic', clientId: decode(text.slice(0, colon)), secret: decode(text.slice(colon + 1)) };
  } catch {
    return 'malformed';
  }
}

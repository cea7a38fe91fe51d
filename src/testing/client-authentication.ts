import type { OAuthFault } from './fake-grant.js';
import type { RecordedRequest } from './recorded-request.js';
import type { ServerKnobs } from './server-knobs.js';

/** Client ids and their secrets; undefined: every client with every secret is known. */
export type ClientRegistry = Map<string, string> | undefined;

interface Credentials {
  readonly method: ServerKnobs['authMethods'][number];
  readonly clientId: string;
  readonly secret: string;
}

/** Which client sent the request, by the rules of RFC 6749 §2.3.1. */
export function authenticateClient(request: RecordedRequest, knobs: ServerKnobs, clients: ClientRegistry): { readonly clientId: string } | OAuthFault {
  const basic = basicCredentials(request.headers.get('authorization'), knobs.basicDecoding);
  const bodySecret = request.params.get('client_secret');
  const bodyId = request.params.get('client_id');
  if (basic !== undefined && bodySecret !== null && knobs.rejectDoubleAuthentication)
    return { error: 'invalid_request', description: 'two client authentications' };
  if (basic === 'malformed' || knobs.rejectClients) return { error: 'invalid_client' };
  const given: Credentials | undefined =
    basic ??
    (bodyId === null
      ? undefined
      : bodySecret === null
        ? { method: 'none', clientId: bodyId, secret: '' }
        : { method: 'client_secret_post', clientId: bodyId, secret: bodySecret });
  if (given === undefined || !knobs.authMethods.includes(given.method))
    return { error: 'invalid_client', description: 'no client authentication of a kind that is taken' };
  if (clients !== undefined && clients.get(given.clientId) !== given.secret) return { error: 'invalid_client', description: 'unknown client or wrong secret' };
  return { clientId: given.clientId };
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

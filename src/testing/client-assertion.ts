import { compactVerify, decodeJwt, decodeProtectedHeader, importJWK, importX509, type JWK, type JWTPayload, type ProtectedHeaderParameters } from 'jose';
import { serverPaths } from './discovery-endpoint.js';
import type { ClientIdentity, RegisteredClient } from './fake-client.js';
import type { OAuthFault } from './fake-grant.js';
import type { RecordedRequest } from './recorded-request.js';
import { type Exchange, serverNow } from './server-context.js';
import type { ServerKnobs } from './server-knobs.js';

const jwtBearer = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer';
const leewayS = 5;
const longestS = 300;

interface Parsed {
  readonly text: string;
  readonly header: ProtectedHeaderParameters;
  readonly claims: JWTPayload;
}

/** `client_secret_jwt`, `private_key_jwt` and assertions of federated issuers (RFC 7523 §3). */
export async function verifyClientAssertion({ params }: RecordedRequest, exchange: Exchange): Promise<ClientIdentity | OAuthFault> {
  const { knobs, context } = exchange;
  const refuse = (description: string): OAuthFault => ({ error: 'invalid_client', description });
  if (params.get('client_assertion_type') !== jwtBearer) return refuse('unknown client_assertion_type');
  const parsed = parse(params.get('client_assertion') ?? '');
  if (parsed === undefined) return refuse('the client assertion is no JWT');
  const { header, claims } = parsed;
  const method = header.alg?.startsWith('HS') ? 'client_secret_jwt' : 'private_key_jwt';
  if (!knobs.authMethods.includes(method)) return refuse('no client authentication of a kind that is taken');
  const clientId = params.get('client_id') ?? claims.sub ?? '';
  const client = context.clients?.get(clientId);
  if (context.clients !== undefined && client === undefined) return refuse('unknown client');
  const federated = client?.federated?.issuer === claims.iss ? client?.federated : undefined;
  const isOwn = claims.iss === clientId && claims.sub === clientId;
  if (!isOwn && federated?.subject !== claims.sub) return refuse('iss and sub of the client assertion are not the client');
  const audience = federated?.audience === undefined ? audiences(exchange) : [federated.audience];
  if (typeof claims.aud !== 'string' || !audience.includes(claims.aud)) return refuse('aud of the client assertion is not this server');
  const fault = federated ? misdated(claims, exchange) : (misnamed(header, knobs) ?? misdated(claims, exchange) ?? unfresh(clientId, claims, exchange));
  if (fault !== undefined) return refuse(fault);
  if (client === undefined || (await isSignedBy(parsed, federated ? { keys: federated.keys } : client))) return { clientId };
  return refuse('the client assertion is not signed by a key of the client');
}

function parse(text: string): Parsed | undefined {
  try {
    return { text, header: decodeProtectedHeader(text), claims: decodeJwt(text) };
  } catch {
    return undefined;
  }
}

function audiences({ knobs, context }: Exchange): readonly string[] {
  const { token } = serverPaths(context.issuer);
  if (knobs.assertionAudience === 'either') return [context.issuer, token];
  return [knobs.assertionAudience === 'issuer' ? context.issuer : token];
}

function misnamed({ typ, ...header }: ProtectedHeaderParameters, knobs: ServerKnobs): string | undefined {
  if (knobs.assertionTyp === 'required' && typ !== 'client-authentication+jwt') return 'the client assertion must be of the type client-authentication+jwt';
  if (knobs.assertionTyp === 'refused' && typ !== undefined && typ !== 'JWT') return 'the client assertion is of an unknown type';
  const missing = knobs.assertionHeaders.find((name) => typeof header[name] !== 'string');
  return missing && `the client assertion has no ${missing}`;
}

function misdated({ exp, iat = 0, nbf = 0 }: JWTPayload, { knobs, context }: Exchange): string | undefined {
  const now = serverNow(context, knobs) / 1000;
  if (exp === undefined || exp <= now - leewayS) return 'the client assertion has expired';
  return Math.max(iat, nbf) > now + leewayS ? 'the client assertion is not yet good' : undefined;
}

function unfresh(clientId: string, { jti, exp = 0, iat }: JWTPayload, { knobs, context }: Exchange): string | undefined {
  // Those of a platform may live for hours and come again.
  if (exp - (iat ?? serverNow(context, knobs) / 1000) > longestS) return 'the client assertion lives too long';
  if (knobs.assertionReplay === 'accepted') return undefined;
  if (jti === undefined) return 'the client assertion has no jti';
  const id = JSON.stringify([clientId, jti]);
  if (context.assertions.has(id)) return 'the client assertion was used before';
  context.assertions.add(id);
  return undefined;
}

async function isSignedBy({ text, header }: Parsed, client: Partial<RegisteredClient>): Promise<boolean> {
  const keys = await candidates(header, client);
  const tried = await Promise.all(
    keys.map((key) =>
      compactVerify(text, key).then(
        () => true,
        () => false,
      ),
    ),
  );
  return tried.includes(true);
}

async function candidates({ alg = '', kid, ...header }: ProtectedHeaderParameters, client: Partial<RegisteredClient>): Promise<(CryptoKey | Uint8Array)[]> {
  if (alg.startsWith('HS')) return alg === 'HS256' ? (client.secrets ?? []).map((secret) => new TextEncoder().encode(secret)) : [];
  if (!/^(RS256|PS256|ES256|EdDSA|Ed25519)$/.test(alg)) return [];
  const jwks = (client.keys ?? []).filter((key: JWK) => kid === undefined || key.kid === undefined || key.kid === kid);
  const [s256 = [], sha1 = []] = await Promise.all([client.certificateThumbprints?.(), client.certificateThumbprints?.('SHA-1')]);
  const named = (client.certificates ?? []).filter(
    (_, index) => (header['x5t#S256'] !== undefined && s256[index] === header['x5t#S256']) || (header['x5t'] !== undefined && sha1[index] === header['x5t']),
  );
  const imports = [...jwks.map((key) => importJWK(key, alg)), ...named.map((certificate) => importX509(certificate, alg))];
  // Keys of another kind cannot be imported for this algorithm.
  return (await Promise.allSettled(imports)).flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
}

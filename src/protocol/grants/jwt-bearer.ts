import { checkDuration, checkFunction, checkOptions, checkString, invalidOption } from '../../core/check-option.js';
import type { Grant } from '../../core/grant.js';
import { checkTokenParameters } from '../../core/token-parameters.js';
import type { TokenTarget } from '../../core/token-source.js';
import { type AuthorizationServer, type AuthorizationServerOptions, checkAuthorizationServer } from '../issuer/authorization-server.js';
import type { ClientAuth, ClientAuthRequest } from '../client-auth/client-auth.js';
import type { PrivateKeyNames, PrivateKeySource } from '../client-auth/key-reader.js';
import { presentedBy, tokenReader } from './presented-token.js';
import { revokeTokens } from '../revocation.js';
import { assertionSigner, type SignAssertion } from '../client-auth/sign-assertion.js';
import { bindingOf } from '../dpop/token-binding.js';
import { canonicalParameters, toSearchParams } from '../wire/token-parameters.js';
import { tokenRequester } from '../wire/token-request.js';

/** The server, the client, what its tokens are for, and the assertion: a `key` to sign it with, or the `assertion` itself. */
export interface JwtBearerOptions extends AuthorizationServerOptions, PrivateKeyNames, TokenTarget {
  /**
   * How the client itself is authenticated, beside the assertion.
   * @default not at all, and no `client_id` is sent: the assertion says who asks (RFC 7521 §4.1)
   */
  readonly auth?: ClientAuth | undefined;
  /** Signs the assertion, with `clientId` as its issuer; a function is asked at every attempt. Either this or `assertion`. */
  readonly key?: PrivateKeySource | undefined;
  /** Gives an assertion that is made elsewhere, anew at every attempt: a user's token (on-behalf-of), a platform's. */
  readonly assertion?: (() => string | Promise<string>) | undefined;
  /**
   * With `assertion`: names whose tokens these are. Grants with equal ids share stored tokens, so users must not share one.
   * @default a random one: what is stored is not found again after a restart
   */
  readonly id?: string | undefined;
  /** With `key`: whom the tokens act for (`sub`), where the server asks for one. */
  readonly subject?: string | undefined;
  /** With `key`: how long an assertion is good for, in milliseconds, 1 s to 1 h. @default 300_000 */
  readonly expiresInMs?: number | undefined;
  /** With `key`: further claims of the assertion. */
  readonly claims?: Readonly<Record<string, unknown>> | undefined;
  /** With `key`: where the scope goes: Google reads it in the assertion. @default 'parameter' */
  readonly scopeIn?: 'parameter' | 'assertion' | undefined;
}

const grantType = 'urn:ietf:params:oauth:grant-type:jwt-bearer';
const ownOptions = ['scope', 'resource', 'audience', 'params', 'key', 'alg', 'kid', 'x5t', 'assertion', 'id', 'subject', 'expiresInMs', 'claims', 'scopeIn'];
const signingOptions = ['alg', 'kid', 'x5t', 'subject', 'expiresInMs', 'claims', 'scopeIn'] as const;
const setClaims = ['iss', 'sub', 'aud', 'iat', 'exp', 'jti'];
const longestMs = 3_600_000;

// RFC 7521 §4.1: the assertion alone says who asks.
const unidentified: ClientAuth = Object.freeze({ method: 'none', authenticate: () => Promise.resolve([]) });

/**
 * Tokens for a signed statement (RFC 7523 §2.1): service accounts, on-behalf-of. The assertion is made anew for every
 * request, dated by the server's clock, and for the issuer or the token endpoint, as `preset.assertionAudience` says.
 * A refresh token in the answer is ignored.
 * @throws {TokenError} `invalid_option`; later `grant_rejected` when the server does not accept the assertion.
 */
export function jwtBearer(options: JwtBearerOptions): Grant {
  const checked = checkAuthorizationServer('jwtBearer', options, ownOptions);
  const server = options.auth === undefined ? unidentifiedClient(checked) : checked;
  const defaults = checkTokenParameters(options);
  const { key, assertion, id } = options;
  if ((key === undefined) === (assertion === undefined)) throw invalidOption('key', 'either "key" or "assertion", and not both', key);
  const making = key === undefined ? givenAssertion(options) : signedAssertion(key, options, server.clientId);
  if (key !== undefined && id !== undefined) throw invalidOption('id', 'nothing beside "key", which says whose tokens these are', id);
  const send = tokenRequester(server);
  const own = presentedBy(id, [assertion]);
  return {
    id: JSON.stringify(['jwt_bearer', server.issuer, server.clientId, canonicalParameters(defaults), ...making.id]),
    renews: 'regrant',
    ...bindingOf(server, own),
    request: async (_current, context) => {
      const parameters = checkTokenParameters(context.target, defaults);
      const { scope } = parameters;
      const body = toSearchParams(parameters, making.hasScope ? undefined : scope);
      const sign = async (request: ClientAuthRequest): Promise<readonly string[]> => {
        const made = await making.make(request, scope);
        request.body.set('assertion', made);
        return [made];
      };
      return send({ grantType, body, requested: scope, isRenewable: false, secrets: [], sign }, context);
    },
    revoke: (tokens, context) => revokeTokens(server, { ...tokens, refreshToken: undefined }, context),
  };
}

interface AssertionMaking {
  /** What tells the grant from others, as far as it is no secret. */
  readonly id: readonly unknown[];
  /** The assertion holds the scope. */
  readonly hasScope: boolean;
  make(request: ClientAuthRequest, scope: readonly string[] | undefined): Promise<string>;
}

function givenAssertion(options: JwtBearerOptions): AssertionMaking {
  checkFunction('assertion', options.assertion ?? null);
  for (const name of signingOptions) if (options[name] !== undefined) throw invalidOption(name, 'nothing without "key"', options[name]);
  return { id: [], hasScope: false, make: tokenReader('assertion', options.assertion) };
}

function signedAssertion(key: PrivateKeySource, options: JwtBearerOptions, clientId: string): AssertionMaking {
  const sign: SignAssertion = assertionSigner('key', key, options);
  const { scopeIn = 'parameter', claims: given = {} } = options;
  const lifetimeMs = checkDuration('expiresInMs', options.expiresInMs, 300_000);
  const subject = options.subject === undefined ? undefined : checkString('subject', options.subject);
  if (lifetimeMs < 1_000 || lifetimeMs > longestMs) throw invalidOption('expiresInMs', 'milliseconds from 1 000 to 3 600 000', lifetimeMs);
  if (scopeIn !== 'parameter' && scopeIn !== 'assertion') throw invalidOption('scopeIn', '"parameter" or "assertion"', scopeIn);
  checkOptions('claims', given);
  // A copy, so that nobody changes the claims afterwards.
  const claims: Readonly<Record<string, unknown>> = { ...given };
  const taken = Object.keys(claims).find((name) => setClaims.includes(name));
  if (taken !== undefined) throw invalidOption(`claims.${taken}`, 'no claim that an option or the protocol sets', claims[taken]);
  return {
    id: [subject, claims],
    hasScope: scopeIn === 'assertion',
    make: ({ issuer, tokenEndpoint, preset, now }, scope) =>
      sign({
        claims: {
          ...claims,
          ...(scopeIn === 'assertion' && scope && { scope: scope.join(' ') }),
          iss: clientId,
          ...(subject !== undefined && { sub: subject }),
          aud: preset.assertionAudience === 'token_endpoint' ? tokenEndpoint : issuer,
        },
        header: { typ: 'JWT' },
        keyHeaders: preset.assertionHeaders,
        now: now(),
        lifetimeMs,
      }),
  };
}

// Which methods the server lists is no question where the client does not authenticate.
function unidentifiedClient(server: AuthorizationServer): AuthorizationServer {
  return {
    ...server,
    auth: unidentified,
    metadata: async (context) => ({ ...(await server.metadata(context)), token_endpoint_auth_methods_supported: undefined }),
  };
}

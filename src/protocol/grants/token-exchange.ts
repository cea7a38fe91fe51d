import { checkOptions, checkString, invalidOption, isUri } from '../../core/check-option.js';
import { TokenError } from '../../core/errors.js';
import type { Grant, GrantContext } from '../../core/grant.js';
import { checkTokenParameters } from '../../core/token-parameters.js';
import type { TokenSet } from '../../core/token-set.js';
import type { TokenTarget } from '../../core/token-source.js';
import { type AuthorizationServer, type AuthorizationServerOptions, checkAuthorizationServer } from '../issuer/authorization-server.js';
import type { ClientAuthRequest } from '../client-auth/client-auth.js';
import { type PresentedToken, presentedBy, tokenReader } from './presented-token.js';
import { pickMembers } from '../wire/response-members.js';
import { revokeTokens } from '../revocation.js';
import { lifetimeByExp } from '../wire/to-token-set.js';
import { bindingOf } from '../dpop/token-binding.js';
import { canonicalParameters, toSearchParams } from '../wire/token-parameters.js';
import { tokenRequester } from '../wire/token-request.js';

/** A token that is handed in, and what kind of token it is. */
export interface ExchangedToken {
  /** A function is asked at every attempt, so that a renewal hands in a fresh one. It must always speak for the same party. */
  readonly token: PresentedToken;
  /** A token type identifier (RFC 8693 §3), such as `urn:ietf:params:oauth:token-type:access_token`. */
  readonly type: string;
}

/** The server, the client, the token to exchange, and what the new one is for unless a target says otherwise. */
export interface TokenExchangeOptions extends AuthorizationServerOptions, Omit<TokenTarget, 'audience'> {
  /** Whom the new token speaks for. */
  readonly subject: ExchangedToken;
  /** Who acts for the subject, where that is another party (RFC 8693 §1.1). */
  readonly actor?: ExchangedToken | undefined;
  /** @default the server's choice: an access token */
  readonly requestedTokenType?: string | undefined;
  /** One or more names of services that the token is for (RFC 8693 §2.1). */
  readonly audience?: string | readonly string[] | undefined;
  /**
   * Where a token comes from a function: names whose tokens these are. Grants with equal ids share stored tokens, so users must
   * not share one.
   * @default a random one: what is stored is not found again after a restart
   */
  readonly id?: string | undefined;
}

const grantType = 'urn:ietf:params:oauth:grant-type:token-exchange';
const accessTokenType = 'urn:ietf:params:oauth:token-type:access_token';
const ownOptions = ['scope', 'resource', 'audience', 'params', 'subject', 'actor', 'requestedTokenType', 'id'];

/**
 * Exchanges one token for another (RFC 8693). The new one lives no longer than the subject's where that is a JWT that
 * says when it ends; renewing means exchanging again. A refresh token in the answer is ignored.
 * @throws {TokenError} `invalid_option`
 */
export function tokenExchange(options: TokenExchangeOptions): Grant {
  const server = checkAuthorizationServer('tokenExchange', options, ownOptions);
  const { audience, subject, actor, id, requestedTokenType: wanted } = options;
  const audiences = audience === undefined ? [] : [audience].flat().map((name) => checkString('audience', name));
  const defaults = checkTokenParameters({ scope: options.scope, resource: options.resource, params: options.params });
  const readSubject = checkToken('subject', subject);
  const readActor = actor === undefined ? undefined : checkToken('actor', actor);
  if (wanted !== undefined && !isUri(wanted)) throw invalidOption('requestedTokenType', 'a token type URI', wanted);
  const send = tokenRequester(readingIssuedType(server));
  return {
    id: JSON.stringify([
      'token_exchange',
      server.issuer,
      server.clientId,
      canonicalParameters(defaults),
      audiences.toSorted(),
      wanted,
      subject.type,
      actor?.type,
    ]),
    renews: 'regrant',
    ...bindingOf(server, presentedBy(id, [subject.token, actor?.token])),
    request: async (_current, context) => {
      const parameters = checkTokenParameters(context.target, defaults);
      const body = toSearchParams(parameters, parameters.scope);
      if (parameters.audience === undefined) for (const name of new Set(audiences)) body.append('audience', name);
      body.set('subject_token_type', subject.type);
      if (actor) body.set('actor_token_type', actor.type);
      if (wanted !== undefined) body.set('requested_token_type', wanted);
      let given = '';
      const sign = async (request: ClientAuthRequest): Promise<readonly string[]> => {
        given = await readSubject();
        const acting = await readActor?.();
        request.body.set('subject_token', given);
        if (acting !== undefined) request.body.set('actor_token', acting);
        return [given, acting ?? ''].filter(Boolean);
      };
      const tokens = await send({ grantType, body, requested: parameters.scope, isRenewable: false, secrets: [], sign }, context);
      return noLongerThan(given, checkIssued(tokens, server, wanted), server, context);
    },
    revoke: (tokens, context) => revokeTokens(server, { ...tokens, refreshToken: undefined }, context),
  };
}

function checkToken(option: 'subject' | 'actor', value: unknown): () => Promise<string> {
  checkOptions(option, value, ['token', 'type']);
  const { token, type } = pickMembers(value, ['token', 'type']);
  if (!isUri(type)) throw invalidOption(`${option}.type`, 'a token type URI such as urn:ietf:params:oauth:token-type:access_token', type);
  return tokenReader(`${option}.token`, token);
}

// `N_A` is no scheme (RFC 8693 §2.2.1): what stands in for it is judged when the issued type is known.
function readingIssuedType(server: AuthorizationServer): AuthorizationServer {
  const { preset } = server;
  const rawMembers = [...(preset.rawMembers ?? []), 'issued_token_type', 'token_type'];
  return { ...server, preset: { ...preset, rawMembers, tokenTypeMap: { n_a: 'Bearer', ...preset.tokenTypeMap } } };
}

function checkIssued({ raw = {}, ...tokens }: TokenSet, { preset }: AuthorizationServer, wanted = accessTokenType): TokenSet {
  const { issued_token_type: issued, token_type: type } = raw;
  if (typeof issued !== 'string' || issued === '') throw unacceptable('no issued_token_type');
  const isPresentable = typeof type !== 'string' || type.toLowerCase() !== 'n_a';
  if (!isPresentable && (issued === accessTokenType || wanted === accessTokenType)) throw unacceptable('token_type N_A, which no access token may have');
  return Object.freeze({ ...tokens, ...(preset.rawMembers && { raw: Object.freeze(pickMembers(raw, preset.rawMembers)) }) });
}

// By the server's clock, which is also the subject's issuer's as far as anybody knows.
function noLongerThan(subject: string, tokens: TokenSet, { time }: AuthorizationServer, { clock }: GrantContext): TokenSet {
  const leftMs = lifetimeByExp(subject, tokens.sentAt + time.now(clock) - clock.now());
  if (leftMs === undefined || leftMs >= (tokens.lifetimeMs ?? Infinity)) return tokens;
  return Object.freeze({ ...tokens, lifetimeMs: leftMs });
}

function unacceptable(what: string): TokenError {
  return new TokenError('unacceptable_response', `the answer to the token exchange has ${what}`, { phase: 'token' });
}

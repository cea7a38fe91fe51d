import { allowInsecureRequests, customFetch, genericTokenEndpointRequest } from 'oauth4webapi';
import { TokenError } from '../core/errors.js';
import type { GrantContext } from '../core/grant.js';
import { parseObject } from '../core/parse-object.js';
import type { Preset } from '../core/preset.js';
import type { TokenSet } from '../core/token-set.js';
import type { AuthorizationServer } from './authorization-server.js';
import { type Answer, exchange, type Post } from './exchange.js';
import { pickMembers, type ResponseMembers } from './response-members.js';
import type { ServerMetadata } from './server-metadata.js';
import { errorMembers, toTokenError } from './to-token-error.js';
import { parseExpiresIn, tokenMembers, toTokenSet } from './to-token-set.js';

/** One token request, of any grant type. */
export interface TokenRequest {
  readonly grantType: string;
  readonly body: URLSearchParams;
  /** The scope that the answer is measured against. */
  readonly requested: readonly string[] | undefined;
  readonly isRenewable: boolean;
  /** What was sent beside the client's credentials and must not be shown. */
  readonly secrets: readonly string[];
}

/** Sends token requests to a server. The returned function is a grant's only way out. */
export function tokenRequester(server: AuthorizationServer): (request: TokenRequest, context: GrantContext) => Promise<TokenSet> {
  let isMethodChecked = false;
  return async (request, context) => {
    const { clock, signal, report } = context;
    const { clientId, preset } = server;
    const metadata = await server.metadata(context);
    if (!isMethodChecked) {
      isMethodChecked = true;
      warnOfMethod(server.auth.method, metadata, context);
    }
    const secrets = [...request.secrets];
    let sentAt = clock.now();
    const authenticate = async (_as: unknown, _client: unknown, body: URLSearchParams, headers: Headers) => {
      secrets.push(...(await server.auth.authenticate({ clientId, body, headers })));
    };
    const as = { issuer: metadata.issuer, token_endpoint: metadata.token_endpoint ?? '' };
    const answer = await exchange('token', server.fetch, signal, (send) =>
      genericTokenEndpointRequest(as, { client_id: clientId }, authenticate, request.grantType, request.body, {
        [customFetch]: (url: string, post: Post) => {
          sentAt = clock.now();
          return send(url, post);
        },
        // Which URLs may be plain http was decided with the configuration, or by discovery.
        [allowInsecureRequests]: true,
      }),
    );
    const members = readMembers(answer, preset);
    const isSuccess = (preset.successStatuses ?? [200]).includes(answer.status) && members !== undefined;
    if (!isSuccess || (typeof members['error'] === 'string' && members['access_token'] === undefined)) {
      throw toTokenError(answer, members, { preset, isRenewable: request.isRenewable, secrets, clock });
    }
    return toTokenSet(members, parseExpiresIn(members['expires_in']), {
      preset,
      sentAt,
      requested: request.requested,
      isRenewable: request.isRenewable,
      report,
    });
  };
}

function readMembers(answer: Answer, preset: Preset): ResponseMembers | undefined {
  const { text, status } = answer;
  const type = answer.headers.get('content-type')?.split(';')[0]?.trim().toLowerCase() ?? '';
  const isJson = type === '' || /[/+]json$/.test(type);
  const isForm = preset.responseFormat === 'form' && !isJson;
  const object = isForm ? Object.fromEntries(new URLSearchParams(text)) : parseObject(text);
  const members = pickMembers(object, [...tokenMembers, ...errorMembers, ...(preset.rawMembers ?? [])]);
  if (isForm) return members?.['access_token'] === undefined && members?.['error'] === undefined ? undefined : members;
  // An error is worth reading whatever it calls itself; a token is taken only from what says that it is JSON.
  if (!isJson && status < 300 && members && members['error'] === undefined) {
    throw new TokenError('unacceptable_response', `the token response of ${answer.origin} is JSON of another content type`, {
      phase: 'token',
      status,
    });
  }
  return members;
}

function warnOfMethod(method: string, metadata: ServerMetadata, { report }: GrantContext): void {
  const listed = metadata.token_endpoint_auth_methods_supported;
  if (listed === undefined || listed.includes(method)) return;
  const shown = listed.filter((name) => /^[a-z_]{1,40}$/.test(name)).slice(0, 10);
  report({
    type: 'warning',
    code: 'auth_method_not_listed',
    message: `the server lists ${shown.join(', ') || 'nothing'} for client authentication, not ${method}`,
  });
}

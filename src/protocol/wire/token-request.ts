import { TokenError } from '../../core/errors.js';
import type { GrantContext } from '../../core/grant.js';
import { parseObject } from '../../core/parse-object.js';
import type { Preset } from '../../core/preset.js';
import type { TokenSet } from '../../core/token-set.js';
import { type AuthorizationServer, endpointFor } from '../issuer/authorization-server.js';
import type { Answer } from './exchange.js';
import { type FormPost, postForm } from './post-form.js';
import { withEndMembers } from './refresh-token-end.js';
import { pickMembers, type ResponseMembers } from './response-members.js';
import type { ServerMetadata } from '../issuer/server-metadata.js';
import { errorMembers, toTokenError } from './to-token-error.js';
import { parseExpiresIn, tokenMembers, toTokenSet } from './to-token-set.js';

/** One token request, of any grant type. */
export interface TokenRequest extends Pick<FormPost, 'body' | 'sign' | 'secrets' | 'isSingleUse'> {
  readonly grantType: string;
  /** The scope that the answer is measured against. */
  readonly requested: readonly string[] | undefined;
  readonly isRenewable: boolean;
}

/** Sends token requests to a server. The returned function is a grant's only way out. */
export function tokenRequester(server: AuthorizationServer): (request: TokenRequest, context: GrantContext) => Promise<TokenSet> {
  let isMethodChecked = false;
  let isKeyAccepted = false;
  return async (request, context) => {
    const { dpop } = server;
    const preset = withEndMembers(server.preset);
    const { isRenewable, requested } = request;
    const metadata = await server.metadata(context);
    if (!isMethodChecked) {
      isMethodChecked = true;
      warnOfMethod(server.auth.method, metadata, context);
    }
    const url = endpointFor(server, metadata, 'token_endpoint') ?? '';
    const body = new URLSearchParams([['grant_type', request.grantType], ...request.body]);
    let nonce: string | undefined;
    for (;;) {
      const { answer, sentAt, secrets } = await postForm(server, { ...request, phase: 'token', url, metadata, body, nonce }, context);
      const members = readMembers(answer, preset);
      const isSuccess = (preset.successStatuses ?? [200]).includes(answer.status) && members !== undefined;
      if (isSuccess && (typeof members['error'] !== 'string' || members['access_token'] !== undefined)) {
        const tokens = toTokenSet(members, parseExpiresIn(members['expires_in']), { preset, sentAt, requested, isRenewable, report: context.report });
        if (dpop?.required && tokens.tokenType !== 'DPoP') {
          throw new TokenError('unacceptable_response', 'the token is not bound to the DPoP key, though that is required', { phase: 'token' });
        }
        isKeyAccepted = true;
        return tokens;
      }
      const wanted = dpop && members?.['error'] === 'use_dpop_nonce' && answer.headers.get('dpop-nonce');
      // A nonce that was missing is presented once (RFC 9449 §8).
      if (!wanted || nonce !== undefined) {
        const error = toTokenError(answer, members, { preset, isRenewable, secrets, clock: context.clock });
        // Tokens that are bound to a key end with it (RFC 9449 §5).
        const isKeyLost = error.code === 'grant_revoked' && !request.isSingleUse && !isKeyAccepted && (await dpop?.isNew());
        throw isKeyLost ? new TokenError('key_lost', 'the refresh token was refused with a DPoP key that is new', error) : error;
      }
      nonce = wanted;
    }
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

import { TokenError } from '../../core/errors.js';
import type { GrantContext } from '../../core/grant.js';
import { parseObject } from '../../core/parse-object.js';
import { type AuthorizationServer, endpointFor } from '../issuer/authorization-server.js';
import { type FormPost, postForm } from './post-form.js';
import { pickMembers } from './response-members.js';
import type { EndpointName } from '../issuer/server-metadata.js';
import { errorMembers, toTokenError } from './to-token-error.js';

/** What an endpoint other than the token endpoint is asked. */
export interface EndpointQuestion extends Pick<FormPost, 'phase' | 'body' | 'secrets'> {
  readonly endpoint: EndpointName;
}

/** The JSON object that it answered with. */
export interface EndpointAnswer {
  readonly object: Readonly<Record<string, unknown>>;
  /** Epoch milliseconds by the local clock. */
  readonly sentAt: number;
}

/**
 * Asks an endpoint of the authorization server.
 * @throws {TokenError} `discovery_failed` when the server has no such endpoint; the failures of a token request.
 */
export async function askEndpoint(
  server: AuthorizationServer,
  { endpoint, ...question }: EndpointQuestion,
  context: Pick<GrantContext, 'clock' | 'signal' | 'report' | 'target'>,
): Promise<EndpointAnswer> {
  const metadata = await server.metadata(context);
  const url = endpointFor(server, metadata, endpoint);
  if (url === undefined) throw new TokenError('discovery_failed', `the metadata of ${server.issuer} has no ${endpoint}`, { phase: question.phase });
  const { answer, sentAt, secrets } = await postForm(server, { ...question, url, metadata }, context);
  const object = parseObject(answer.text);
  const members = object && pickMembers(object, errorMembers);
  const isSuccess = answer.status === 200 || answer.status === 201;
  if (isSuccess && object && typeof members?.['error'] !== 'string') return { object, sentAt };
  throw toTokenError(answer, members, { preset: server.preset, secrets, clock: context.clock });
}

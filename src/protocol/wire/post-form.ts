import type { GrantContext } from '../../core/grant.js';
import type { AuthorizationServer } from '../issuer/authorization-server.js';
import type { ClientAuth } from '../client-auth/client-auth.js';
import { type Answer, type ExchangePhase, exchange } from './exchange.js';
import type { ServerMetadata } from '../issuer/server-metadata.js';

type FormContext = Pick<GrantContext, 'clock' | 'signal'>;

/** One POST to an endpoint of the authorization server. */
export interface FormPost {
  readonly phase: ExchangePhase;
  readonly url: string;
  readonly metadata: ServerMetadata;
  /** The parameters beside the client's own. */
  readonly body: URLSearchParams;
  /** Adds what has to be made anew for every request: credentials of the grant itself. */
  readonly sign?: ClientAuth['authenticate'] | undefined;
  /** What the body holds and must not be shown. */
  readonly secrets: readonly string[];
  /** The DPoP nonce that the answer before asked for: it may be good for one request. @default the last one of the origin */
  readonly nonce?: string | undefined;
  /** What it presents may be used once only, so that a wrong date does not send it again. (`standards.md` A11) */
  readonly isSingleUse?: boolean | undefined;
}

/** An answer, and what its reader needs to know of the request. */
export interface FormAnswer {
  readonly answer: Answer;
  /** Epoch milliseconds by the local clock. */
  readonly sentAt: number;
  /** Everything that was sent and must not be shown. */
  readonly secrets: readonly string[];
}

/**
 * Sends a form with the client's authentication, and with a DPoP proof where a token is asked for (RFC 6749 §2.3, §3.2; RFC 9449 §5);
 * once more when something was signed under a date that the server cannot have accepted.
 */
export async function postForm(server: AuthorizationServer, post: FormPost, context: FormContext): Promise<FormAnswer> {
  const first = await postOnce(server, post, context);
  const { status, headers } = first.answer;
  if (!first.isMisdated || post.isSingleUse || (status !== 400 && status !== 401)) return first;
  return postOnce(server, { ...post, nonce: headers.get('dpop-nonce') ?? post.nonce }, context);
}

async function postOnce(server: AuthorizationServer, post: FormPost, { clock, signal }: FormContext): Promise<FormAnswer & { isMisdated: boolean }> {
  const { auth, dpop, nonces, time, preset, clientId } = server;
  const { phase, url, metadata } = post;
  const { origin } = new URL(url);
  const secrets = [...post.secrets];
  let sentAt = clock.now();
  let isDated = false;
  const now = (): number => {
    isDated = true;
    return time.now(clock);
  };
  const answer = await exchange(phase, server.fetch, signal, async (send) => {
    const body = new URLSearchParams(post.body);
    const headers = new Headers({ 'content-type': 'application/x-www-form-urlencoded;charset=UTF-8' });
    const request = { clientId, issuer: server.issuer, tokenEndpoint: metadata.token_endpoint ?? url, preset, body, headers, now };
    if (post.sign) secrets.push(...(await post.sign(request)));
    secrets.push(...(await auth.authenticate(request)));
    if (dpop && phase === 'token') {
      const proof = await dpop.prove({ method: 'POST', url, nonce: post.nonce ?? nonces.get(origin) }, now());
      headers.set('dpop', proof);
      secrets.push(proof);
    }
    sentAt = clock.now();
    return send(url, { headers: Object.fromEntries(headers), body });
  });
  const nonce = answer.headers.get('dpop-nonce');
  if (dpop && nonce) nonces.set(origin, nonce);
  const hasMoved = time.learn(answer.headers, sentAt, clock);
  return { answer, sentAt, secrets, isMisdated: isDated && hasMoved };
}

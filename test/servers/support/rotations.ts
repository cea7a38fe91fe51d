import type { IncomingMessage } from 'node:http';
import type { TestServer } from '../../integration/support/authorization-server.js';

/** One use of a refresh token, as the server saw it. */
export interface Use {
  /** Which grant it belongs to: each connection of an account is one of its own. */
  readonly grant: string;
  readonly pid: number;
  /** Undefined: the connection ended before the server looked. */
  answer: { readonly isRotated: boolean; readonly atMs: number } | undefined;
}

export interface Rotations {
  readonly uses: readonly Use[];
  /** This refresh token, and what it is replaced by, belongs to that grant. */
  own(refreshToken: string, grant: string): void;
  /** Called when a refresh token arrives, and when the server has decided and is about to answer. */
  during: ((use: Use, moment: 'asked' | 'answering') => void) | undefined;
}

/** Watches which refresh token is used by whom: processes of `fixtures/account-user.ts` say who they are. */
export function rotationsOf(server: TestServer): Rotations {
  const owners = new Map<string, string>();
  const uses: Use[] = [];
  const open = new WeakMap<IncomingMessage, Use>();
  const rotations: Rotations = { uses, during: undefined, own: (refreshToken, grant) => void owners.set(refreshToken, grant) };
  server.intercept = (request) => {
    const grant = owners.get(String(request.headers['x-refresh-token'] ?? ''));
    if (grant === undefined) return false;
    const use: Use = { grant, pid: Number(request.headers['x-process']), answer: undefined };
    uses.push(use);
    open.set(request, use);
    rotations.during?.(use, 'asked');
    return false;
  };
  const answering = (request: IncomingMessage, next: string | undefined): void => {
    const use = open.get(request);
    if (!use) return;
    use.answer = { isRotated: next !== undefined, atMs: performance.now() };
    if (next !== undefined) owners.set(next, use.grant);
    rotations.during?.(use, 'answering');
  };
  server.provider.on('grant.success', ({ req, body }) => answering(req, body?.refresh_token));
  server.provider.on('grant.error', ({ req }) => answering(req, undefined));
  return rotations;
}

import type { IncomingMessage } from 'node:http';
import type { TestServer } from '../../integration/support/authorization-server.js';

/** One use of a refresh token, as the server saw it. */
export interface Use {
  readonly account: string;
  /** Which connection of the account it belongs to. */
  readonly connection: number;
  readonly pid: number;
  /** Undefined: the connection ended before the server looked. */
  answer: 'rotated' | 'refused' | undefined;
}

export interface Rotations {
  readonly uses: readonly Use[];
  /** This refresh token, and what it is replaced by, belongs to that account. */
  own(refreshToken: string, account: string): void;
  /** The uses since it was connected the last time. */
  latestOf(account: string): readonly Use[];
  /** Called when a refresh token arrives, and when the server has decided and is about to answer. */
  during: ((use: Use, moment: 'asked' | 'answering') => void) | undefined;
}

/** Watches which refresh token is used by whom: processes of `fixtures/account-user.ts` say who they are. */
export function rotationsOf(server: TestServer): Rotations {
  const owners = new Map<string, Pick<Use, 'account' | 'connection'>>();
  const connections = new Map<string, number>();
  const uses: Use[] = [];
  const open = new WeakMap<IncomingMessage, Use>();
  const rotations: Rotations = {
    uses,
    during: undefined,
    own(refreshToken, account) {
      const connection = (connections.get(account) ?? 0) + 1;
      connections.set(account, connection);
      owners.set(refreshToken, { account, connection });
    },
    latestOf: (account) => uses.filter((use) => use.account === account && use.connection === connections.get(account)),
  };
  server.intercept = (request) => {
    const owner = owners.get(String(request.headers['x-refresh-token'] ?? ''));
    if (owner === undefined) return false;
    const use: Use = { ...owner, pid: Number(request.headers['x-process']), answer: undefined };
    uses.push(use);
    open.set(request, use);
    rotations.during?.(use, 'asked');
    return false;
  };
  const answering = (request: IncomingMessage, next: string | undefined): void => {
    const use = open.get(request);
    if (!use) return;
    use.answer = next === undefined ? 'refused' : 'rotated';
    if (next !== undefined) owners.set(next, use);
    rotations.during?.(use, 'answering');
  };
  server.provider.on('grant.success', ({ req, body }) => answering(req, body?.refresh_token));
  server.provider.on('grant.error', ({ req }) => answering(req, undefined));
  return rotations;
}

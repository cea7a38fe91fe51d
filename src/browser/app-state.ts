import { parseObject } from '../core/parse-object.js';
import type { AuthorizationTransaction } from '../protocol/authorization/authorization-transaction.js';
import { ownUrl } from './own-url.js';

/** What a session's own transactions carry. */
export interface AppState {
  readonly via: 'redirect' | 'popup';
  /** Where the user goes on. */
  readonly returnTo: string | undefined;
}

export function appStateOf({ appState }: AuthorizationTransaction): AppState {
  const { via, returnTo } = parseObject(appState) ?? {};
  return { via: via === 'popup' ? via : 'redirect', returnTo: typeof returnTo === 'string' ? ownUrl('returnTo', returnTo) : undefined };
}

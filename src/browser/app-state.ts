import { parseObject } from '../core/parse-object.js';
import type { AuthorizationTransaction } from '../protocol/authorization/authorization-transaction.js';
import { ownUrl } from './own-url.js';

/** What a session's own transactions carry. */
export interface AppState {
  readonly via: 'redirect' | 'popup';
  /** Where the user goes on. */
  readonly returnTo: string | undefined;
  /** The challenges of APIs that it follows, one after the other without a pause. */
  readonly challenges: readonly string[];
}

export function appStateOf({ appState }: AuthorizationTransaction): AppState {
  const { via, returnTo, challenges } = parseObject(appState) ?? {};
  return {
    via: via === 'popup' ? via : 'redirect',
    returnTo: typeof returnTo === 'string' ? ownUrl('returnTo', returnTo) : undefined,
    challenges: Array.isArray(challenges) ? challenges.map(String) : [],
  };
}

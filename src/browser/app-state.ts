import { invalidOption } from '../core/check-option.js';
import { parseObject } from '../core/parse-object.js';
import type { AuthorizationTransaction } from '../protocol/authorization/authorization-transaction.js';

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

/** A URL of this origin; others would make the application an open redirector. */
export function ownUrl(option: string, url: string): string {
  if (!URL.canParse(url, location.href) || new URL(url, location.href).origin !== location.origin) throw invalidOption(option, 'a URL of this origin', url);
  return new URL(url, location.href).href;
}

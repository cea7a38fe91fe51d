import { createAccessToken } from '../core/access-token.js';
import type { TokenError } from '../core/errors.js';
import { instant } from '../core/instant.js';
import type { TokenSet } from '../core/token-set.js';
import { sessionChanged } from './failures.js';
import { asTokenError } from './as-token-error.js';
import type { ManagerParts } from './keep-tokens.js';
import { type GrantRecord, holdToken } from './state.js';

/** What a sign-in may depend on. */
export interface SignInConditions {
  /** True for a record that it must not replace. */
  readonly refuses?: ((record: GrantRecord) => boolean) | undefined;
  /** A store that cannot be written is a failure; memory holds the tokens all the same. */
  readonly mustStore?: boolean | undefined;
  /** Stores it also after a dispose: a code is spent once, and nobody else has what it brought. */
  readonly evenDisposed?: boolean | undefined;
}

/**
 * Puts what a sign-in has brought in the place of whatever was kept before. A store that cannot be written loses none of it:
 * it is served from memory. An empty access token is none.
 * @throws {TokenError} `session_changed` when somebody signed out meanwhile, or the record is one that it must not replace; `disposed`
 */
export async function takeSignIn(brought: TokenSet, conditions: SignInConditions, parts: ManagerParts): Promise<void> {
  const { refuses, mustStore = false, evenDisposed = false } = conditions;
  const { targets, renewals, tools, gone, leaveFlights } = parts;
  const { clock, windows, report } = tools;
  if (!evenDisposed) gone.throwIfAborted();
  const { accessToken, sentAt, refreshToken, idToken, raw } = brought;
  const now = instant(clock);
  const sent = { wall: sentAt, mono: now.mono - Math.max(now.wall - sentAt, 0) };
  const token = accessToken === '' ? undefined : createAccessToken(brought, windows.prove);
  const held = token && holdToken(brought, token, '', sent, windows, false);
  let unsaved: TokenError | undefined;
  const failed = (error: unknown): 'write' => {
    unsaved = asTokenError(error);
    report({ type: 'storage_error', error: unsaved });
    return 'write';
  };
  if ((await targets.own.keeper.apply({ type: 'signedIn', held, refreshToken, idToken, raw, refuses }).catch(failed)) !== 'write') throw sessionChanged();
  leaveFlights();
  for (const entry of targets.all()) entry.loaded = true;
  report({ type: 'signed_in' });
  renewals.sync(targets.all());
  if (unsaved && mustStore) throw unsaved;
}

import { useSyncExternalStore } from 'react';
import type { Session, SessionSnapshot } from '../browser/session.js';

// What a server renders, and the browser at first: also when the restore was quicker than React.
const unsettled: SessionSnapshot = Object.freeze({
  state: 'restoring',
  user: undefined,
  status: 'empty',
  expiresAt: undefined,
  renewAt: undefined,
  lastError: undefined,
  renewal: undefined,
  renewalReason: undefined,
});
const ofServer = (): SessionSnapshot => unsettled;

/**
 * The state of a session: `state` (`restoring`, `signed_in`, `signed_out`), `user`, `lastError`. Renders again when one of
 * them or the tokens' status and times change, in whatever tab that happened. Needs no provider: the session is a value of
 * your own, made outside of React. Starts nothing: call `session.start()` when the page loads.
 *
 * On a server, and while its HTML is hydrated, everybody is `restoring`.
 */
export function useSession(session: Pick<Session, 'snapshot' | 'subscribe'>): SessionSnapshot {
  return useSyncExternalStore(session.subscribe, session.snapshot, ofServer);
}

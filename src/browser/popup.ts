import type { Clock } from '../core/clock.js';
import { TokenError } from '../core/errors.js';
import { whenAborted, withTimeLimit } from '../core/waiting.js';
import { transactionTtlMs } from '../protocol/authorization/authorization-transaction.js';
import { stateOf } from '../protocol/authorization/callback-url.js';

const lookMs = 500;
const answerMs = 1_000;
const taken = 'taken';

// The state is a secret of this sign-in until its end: nobody else finds the channel. (`standards.md` A19)
const channelOf = (state: string): BroadcastChannel => new BroadcastChannel(`tokenkeep:1:callback:${state}`);

/**
 * Waits for the callback that a popup brings, and closes it. What the popup's page sends arrives by its opener or, where a
 * cross-origin opener policy has cut it off, by a channel.
 * @throws {TokenError} `popup_closed`, `timeout`
 */
export function callbackOf(popup: Window, state: string, clock: Clock, gone: AbortSignal): Promise<URL> {
  const timeout = (): TokenError => new TokenError('timeout', 'the sign-in in the popup took longer than ten minutes', { phase: 'authorization' });
  return withTimeLimit(clock, transactionTtlMs, (signal) => listen(popup, state, clock, signal), timeout, gone);
}

function listen(popup: Window, state: string, clock: Clock, outer: AbortSignal): Promise<URL> {
  const over = new AbortController();
  const { signal } = over;
  const undo = whenAborted(outer, () => over.abort(outer.reason));
  const channel = channelOf(state);
  return new Promise<URL>((resolve, reject) => {
    const receive = (sent: unknown): void => {
      if (typeof sent !== 'string' || !URL.canParse(sent) || stateOf(sent) !== state) return;
      channel.postMessage(taken);
      resolve(new URL(sent));
    };
    const hear = ({ source, origin, data }: MessageEvent): void => {
      if (source === popup && origin === location.origin) receive(data);
    };
    globalThis.addEventListener('message', hear, { signal });
    channel.onmessage = ({ data }) => receive(data);
    whenClosed(popup, clock, signal).then(
      () => reject(new TokenError('popup_closed', 'the popup was closed before the sign-in was complete', { phase: 'authorization' })),
      () => reject(outer.reason),
    );
  }).finally(() => {
    undo();
    over.abort();
    channel.close();
    popup.close();
  });
}

// A popup that was cut off looks closed as well. It is in front then; who has closed one is back here.
async function whenClosed(popup: Window, clock: Clock, signal: AbortSignal): Promise<void> {
  for (let seen = 0; seen < 2; seen = popup.closed && document.hasFocus() ? seen + 1 : 0) await clock.sleep(lookMs, signal);
}

/**
 * Hands a callback to the page that opened this popup for it, and closes the popup. False when nobody takes it: that page is
 * gone, or has given up.
 */
export async function handOver(callback: URL, state: string, clock: Clock): Promise<boolean> {
  const channel = channelOf(state);
  const stop = new AbortController();
  const isTaken = await new Promise<boolean>((resolve) => {
    channel.onmessage = ({ data }) => data === taken && resolve(true);
    channel.postMessage(callback.href);
    globalThis.opener?.postMessage(callback.href, location.origin);
    clock.sleep(answerMs, stop.signal).then(
      () => resolve(false),
      () => undefined,
    );
  });
  stop.abort();
  channel.close();
  if (!isTaken) return false;
  globalThis.close();
  // Nothing may begin in a window that is about to go.
  return globalThis.closed ? new Promise(() => undefined) : true;
}

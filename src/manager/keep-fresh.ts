import { ageMs, type Instant, instant } from '../core/instant.js';
import { decide } from './decide.js';
import type { RenewalTools } from './renewal-tools.js';
import type { Renewals } from './renewals.js';
import type { TargetEntry } from './target-entry.js';

const shortestTimerMs = 10;
const storeRetryMs = 5_000;
// Tokens that are dead on arrival must not be asked for without a pause.
const leastIntervalMs = 1_000;

/**
 * Keeps one target live without being asked. Returns a function that looks again (after every change), until it is told
 * that this is the end. One timer; it only looks, and every look checks the clocks. While paused it rests, until the next change or
 * recheck.
 */
export function keepFresh(entry: TargetEntry, renewals: Renewals, { clock, isPaused }: RenewalTools): (end?: 'end') => void {
  let timer = new AbortController();
  let over = false;
  let began: Instant | undefined;

  return function look(end?: 'end'): void {
    timer.abort();
    over ||= end !== undefined;
    if (over || entry.ended || entry.flight || isPaused?.()) return;
    const decision = decide(entry, undefined, clock.now(), clock.monotonicMs());
    if (decision.do === 'load') return void renewals.load(entry).catch(() => lookAgainIn(storeRetryMs));
    const { held, cooldown } = entry;
    const restMs = Math.max(!cooldown ? 0 : cooldown.backgroundMs - ageMs(cooldown, clock), !began || !held ? 0 : leastIntervalMs - ageMs(began, clock));
    // A renewal that found the lock busy blocks no caller, and would be begun again here without end.
    if (restMs <= 0 && (decision.do === 'renew' || decision.do === 'useAndRenew')) {
      began = instant(clock);
      return void renewals.begin(entry, decision.do === 'renew' ? decision.reason : 'expiring', true);
    }
    lookAgainIn(Math.max(shortestTimerMs, !held ? 0 : held.renewAgeMs - ageMs(held, clock), restMs));

    function lookAgainIn(ms: number): void {
      if (over || ms === Infinity) return;
      // A read of the store that fails late finds another timer here.
      timer.abort();
      timer = new AbortController();
      clock.sleep(ms, timer.signal, { idle: true }).then(
        () => look(),
        () => undefined,
      );
    }
  };
}

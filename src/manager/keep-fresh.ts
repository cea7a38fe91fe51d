import { decide } from './decide.js';
import type { RenewalTools } from './renewal-tools.js';
import type { Renewals } from './renewals.js';
import type { TargetEntry } from './target-entry.js';

const shortestTimerMs = 10;

/**
 * Keeps one target live without being asked. Returns a function that looks again (after every change), and ends when it
 * is told to. One timer; it only looks, and every look checks the clocks.
 */
export function keepFresh(entry: TargetEntry, renewals: Renewals, { clock, now, ageMs }: RenewalTools): (end?: 'end') => void {
  let timer = new AbortController();
  return function look(end?: 'end'): void {
    timer.abort();
    if (end !== undefined || entry.ended !== undefined || entry.flight !== undefined) return;
    const { wall, mono } = now();
    const decision = decide(entry, undefined, wall, mono);
    if (decision.do === 'load') return void renewals.load(entry).catch(() => undefined);
    const { held, cooldown } = entry;
    const restMs = cooldown === undefined ? 0 : cooldown.backgroundMs - ageMs(cooldown);
    // A renewal that found the lock busy blocks no caller, and would be begun again here without end.
    if (decision.do === 'renew' && restMs <= 0) return void renewals.begin(entry, decision.reason, true);
    if (decision.do === 'useAndRenew') return void renewals.begin(entry, 'expiring', true);
    const dueMs = Math.max(shortestTimerMs, held === undefined ? 0 : held.renewAgeMs - ageMs(held), restMs);
    if (dueMs === Infinity) return;
    timer = new AbortController();
    clock.sleep(dueMs, timer.signal, { idle: true }).then(
      () => look(),
      () => undefined,
    );
  };
}

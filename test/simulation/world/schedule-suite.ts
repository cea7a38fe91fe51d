import { expect, it } from 'vitest';
import { seed } from '../../support/seed.js';
import { explore, tell } from './explore.js';

const total = process.env['TOKENKEEP_SCHEDULES'] ?? (process.env['CI'] ? 10_000 : 1_500);
const single = process.env['TOKENKEEP_SCHEDULE'];

/** One half of the schedules, or its share of the one that `TOKENKEEP_SCHEDULE` names. */
export function scheduleSuite(half: 0 | 1): void {
  it('keeps every promise under a hostile network, clocks and stores [R2] [R3] [R4] [R5] [R6] [R20] [R24] [R25] [R26] [gap 2]', async () => {
    const half0 = Math.ceil(Number(total) / 2);
    const only = single === undefined ? undefined : Number(single);
    if (only !== undefined && only % 2 !== half) return;
    const from = only ?? half * half0;
    const to = only === undefined ? from + half0 : from + 1;
    const { failed, violations, schedules, steps, requests } = await explore(seed, from, to);
    if (failed !== undefined) throw new Error(`${violations[0]}\n${await tell(seed, failed, violations)}`);
    expect(schedules).toBe(to - from);
    console.info(`${schedules} schedules, ${steps} steps, ${requests} token requests, seed ${seed}`);
    // A simulation in which nothing happens proves nothing.
    if (only === undefined) expect(requests).toBeGreaterThan(schedules);
  });
}

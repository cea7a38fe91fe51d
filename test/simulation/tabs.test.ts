import { describe, expect, it } from 'vitest';
import { seed } from '../support/seed.js';
import { runTabs } from './tabs/run-tabs.js';

const total = Number(process.env['TOKENKEEP_SCHEDULES'] ?? (process.env['CI'] ? 3_000 : 500));
const single = process.env['TOKENKEEP_TAB_SCHEDULE'];

describe('tabs of one browser, closed at every instant', () => {
  it('spend no refresh token twice, agree on who is signed in, and lose at most what a closed tab had under way [X1] [X10] [X14] [R3] [R26] [A32]', async () => {
    const from = Number(single ?? 0);
    let renewals = 0;
    let closed = 0;
    for (let schedule = from; schedule < (single === undefined ? total : from + 1); schedule++) {
      const world = await runTabs(seed, schedule);
      renewals += world.renewals;
      closed += world.cutOff;
      const again = `replay: TOKENKEEP_SEED=${seed} TOKENKEEP_TAB_SCHEDULE=${schedule} npx vitest run --project simulation tabs`;
      if (world.violations.length > 0) throw new Error([JSON.stringify(world.plan), ...world.lines, ...world.violations, again].join('\n'));
    }
    console.info(`${total} schedules of tabs, ${renewals} renewals, ${closed} cut off by the end of their tab, seed ${seed}`);
    // A simulation in which nothing happens proves nothing.
    if (single === undefined) expect(Math.min(renewals / total, closed)).toBeGreaterThan(1);
  });
});

import { describe, expect, it } from 'vitest';
import { seed } from '../support/seed.js';
import { broken } from './broken.js';
import { explore, tell } from './world/explore.js';
import { runSchedule } from './world/run-schedule.js';

describe('the simulation finds', () => {
  it.each(broken)('$what', async ({ mutation, finds }) => {
    const { failed, violations } = await explore(seed, 0, 500, mutation);
    expect(failed).toBeDefined();
    expect(violations.join('\n')).toMatch(finds);
  });

  it('the same thing again when it is replayed, and tells it step by step', async () => {
    const mutation = broken[0]?.mutation;
    const { failed = -1, violations } = await explore(seed, 0, 500, mutation);
    const told = await tell(seed, failed, violations, mutation);
    expect(told).not.toContain('The replay came to something else');
    expect(told).toContain(`TOKENKEEP_SEED=${seed} TOKENKEEP_SCHEDULE=${failed}`);
    expect(told).toContain('request rt-');
  });

  it('equal schedules for equal seeds, step by step', async () => {
    for (const schedule of [1, 2, 3, 4, 5]) {
      const [once, again] = [await runSchedule(seed, schedule, true), await runSchedule(seed, schedule, true)];
      expect(again.lines).toEqual(once.lines);
    }
  });
});

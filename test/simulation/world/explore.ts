import { runSchedule } from './run-schedule.js';
import type { Mutation } from './world.js';

export interface Exploration {
  readonly schedules: number;
  readonly steps: number;
  readonly requests: number;
  /** The first schedule in which something happened that must not. */
  readonly failed: number | undefined;
  readonly violations: readonly string[];
}

/** Runs schedules `from` to `to - 1` of a seed, up to the first that fails. */
export async function explore(seed: number, from: number, to: number, mutation?: Mutation): Promise<Exploration> {
  const unhandled: unknown[] = [];
  const onUnhandled = (reason: unknown): void => void unhandled.push(reason);
  process.on('unhandledRejection', onUnhandled);
  let steps = 0;
  let requests = 0;
  try {
    for (let schedule = from; schedule < to; schedule++) {
      const result = await runSchedule(seed, schedule, false, mutation);
      steps += result.steps;
      requests += result.requests;
      const violations = [...result.violations, ...unhandled.map((reason) => `unhandled rejection: ${String(reason)}`)];
      if (violations.length > 0) return { schedules: schedule - from + 1, steps, requests, failed: schedule, violations };
    }
    return { schedules: to - from, steps, requests, failed: undefined, violations: [] };
  } finally {
    process.off('unhandledRejection', onUnhandled);
  }
}

/** A failed schedule once more, told step by step, and how to see it again. */
export async function tell(seed: number, schedule: number, violations: readonly string[], mutation?: Mutation): Promise<string> {
  const again = await runSchedule(seed, schedule, true, mutation);
  const same = again.violations[0] === violations[0] ? '' : `\nThe replay came to something else: ${again.violations.join('; ') || 'no violation'}`;
  return [
    ...again.lines,
    `schedule ${schedule}: ${violations.join('; ')}${same}`,
    `replay: TOKENKEEP_SEED=${seed} TOKENKEEP_SCHEDULE=${schedule} npx vitest run --project simulation schedules`,
  ].join('\n');
}

import type { Random } from './random.js';

/** How requests fare; changes while a schedule runs. */
export type Weather = 'fine' | 'slow' | 'mixed' | 'down' | 'errors' | 'limited' | 'portal' | 'silent' | 'lossy' | 'misconfigured';

/** What one schedule is about, drawn from its seed. */
export interface Plan {
  readonly renews: 'regrant' | 'refreshToken';
  readonly managers: number;
  /** `hostile`: shared with other processes, slow, and failing at random. */
  readonly store: 'none' | 'memory' | 'slow' | 'hostile';
  readonly rotation: 'strict' | 'grace' | 'same';
  readonly lifetimesMs: readonly (number | undefined)[];
  readonly skewMs: number;
  readonly minValidMs: number;
  readonly targets: number;
  readonly calls: number;
  readonly horizonMs: number;
  readonly weather: Weather;
  readonly weatherChanges: boolean;
  readonly clockJumps: boolean;
  /** clear(), revoke(), dispose(), revocation by an administrator. */
  readonly endings: boolean;
  readonly apiRevokes: boolean;
  /** The server returns the token it gave before, at times. */
  readonly repeatsTokens: boolean;
  readonly keepFresh: boolean;
}

export const weathers = [
  'fine',
  'slow',
  'mixed',
  'down',
  'errors',
  'limited',
  'portal',
  'silent',
  'lossy',
  'misconfigured',
] as const satisfies readonly Weather[];

export function drawPlan(random: Random): Plan {
  const lifetimeMs = random.pick(2_000, 4_000, 30_000, 120_000, 300_000, 3_600_000);
  const lifetimesMs = random.chance(0.15) ? [lifetimeMs, undefined, 0, 10_000] : [lifetimeMs];
  const managers = random.int(1, 4);
  return {
    renews: random.pick('regrant', 'refreshToken'),
    managers,
    store: managers === 1 ? random.pick('none', 'memory', 'slow', 'hostile') : random.pick('memory', 'slow', 'memory', 'hostile'),
    rotation: random.pick('strict', 'strict', 'grace', 'same'),
    lifetimesMs,
    skewMs: random.pick(60_000, 60_000, 300_000, 0),
    minValidMs: random.pick(5_000, 5_000, 0, 20_000),
    targets: random.int(1, 3),
    calls: random.int(20, 60),
    horizonMs: random.pick(500, 5_000, Math.min(lifetimeMs, 600_000) * 3, 200_000),
    weather: random.chance(0.5) ? 'fine' : random.pick(...weathers),
    weatherChanges: random.chance(0.5),
    clockJumps: random.chance(0.3),
    endings: random.chance(0.35),
    apiRevokes: random.chance(0.4),
    repeatsTokens: random.chance(0.1),
    keepFresh: random.chance(0.15),
  };
}

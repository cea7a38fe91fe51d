import type { Weather } from './plan.js';
import type { Random } from './random.js';

/** What becomes of one token request. Those that end in `Lost` do so after the server has committed. */
export type Fate =
  | 'answered'
  | 'dropped'
  | 'silent'
  | 'serverError'
  | 'limited'
  | 'portal'
  | 'rejected'
  | 'droppedLost'
  | 'silentLost'
  | 'serverErrorLost'
  | 'portalLost';

export interface Journey {
  readonly fate: Fate;
  /** From the client to the server's commit. */
  readonly thereMs: number;
  /** From the commit to the answer. */
  readonly backMs: number;
  readonly retryAfterMs: number | undefined;
}

const odds: Readonly<Record<Weather, Readonly<Partial<Record<Fate, number>>>>> = {
  fine: { answered: 1 },
  slow: { answered: 1 },
  mixed: { answered: 12, dropped: 1, silent: 1, serverError: 2, limited: 1, portal: 1, rejected: 0.3, droppedLost: 0.3, serverErrorLost: 0.2 },
  down: { dropped: 1 },
  errors: { serverError: 1 },
  limited: { limited: 1 },
  portal: { portal: 1 },
  silent: { silent: 1 },
  lossy: { answered: 4, droppedLost: 1, silentLost: 1, serverErrorLost: 1, portalLost: 1 },
  misconfigured: { rejected: 1 },
};

export function drawJourney(weather: Weather, random: Random): Journey {
  const fate = random.weighted(odds[weather], 'answered');
  const slow = weather === 'slow' || (weather === 'mixed' && random.chance(0.1));
  const askedMs = random.pick(undefined, 500, 5_000, 40_000);
  return {
    fate,
    thereMs: slow ? random.between(500, 12_000) : random.between(5, 200),
    backMs: slow ? random.between(500, 12_000) : random.between(5, 200),
    retryAfterMs: fate === 'limited' || fate === 'serverError' ? askedMs : undefined,
  };
}

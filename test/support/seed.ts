/** The seed of this run, set for all workers by `vitest.config.ts` and printed at its end. `TOKENKEEP_SEED=<seed>` replays it. */
export const seed: number = Number(process.env['TOKENKEEP_SEED'] ?? 1);

if (!Number.isInteger(seed)) throw new TypeError(`TOKENKEEP_SEED: expected an integer, got ${process.env['TOKENKEEP_SEED']}`);

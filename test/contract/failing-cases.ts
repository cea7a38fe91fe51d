import type { ContractCase } from '../../src/testing/index.js';

/** The names of the cases that an implementation fails, with why. */
export async function failingCases(cases: readonly ContractCase[]): Promise<ReadonlyMap<string, string>> {
  const outcomes = await Promise.all(
    cases.map(async ({ name, run }): Promise<[string, string | undefined]> => {
      try {
        await run();
        return [name, undefined];
      } catch (failure) {
        return [name, failure instanceof Error ? failure.message : `not an Error: ${String(failure)}`];
      }
    }),
  );
  return new Map(outcomes.flatMap(([name, message]) => (message === undefined ? [] : [[name, message] as const])));
}

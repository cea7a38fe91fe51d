import { type Child, startChild } from './harness/child.ts';
import type { OriginOptions, Seen, ServerMessage } from './harness/server.ts';
import type { WorkerMessage } from './harness/worker.ts';
import type { Surroundings } from './contestant.ts';
import { shuffled } from './harness/random.ts';

/** What a case needs of the run it is part of. */
export interface Run {
  readonly isQuick: boolean;
  /** Seeded: orders and delays repeat with the seed. */
  readonly random: () => number;
  readonly server: Child;
}

/** A contestant, open in a process of its own, with an origin of its own. */
export interface Opened {
  readonly name: string;
  readonly origin: string;
  ask<T>(message: WorkerMessage): Promise<T>;
  seen(): Promise<Seen>;
  end(): void;
}

export interface OpenOptions extends Partial<OriginOptions> {
  readonly inProcess?: { readonly spreadMs: number; readonly tokens: boolean } | undefined;
  readonly nodeOptions?: readonly string[] | undefined;
  readonly stores?: Surroundings['stores'];
}

export async function openContestant(run: Run, name: string, options: OpenOptions = {}): Promise<Opened> {
  const { lifetimeS = 3600, tokenDelayMs = 0, inProcess, nodeOptions, stores } = options;
  const origin = await run.server.ask<string>({ do: 'open', options: { lifetimeS, tokenDelayMs } } satisfies ServerMessage);
  const child = startChild('./worker.ts', nodeOptions);
  const ask = <T>(message: WorkerMessage): Promise<T> => child.ask<T>(message);
  if (inProcess !== undefined) await ask({ do: 'answerInProcess', ...inProcess, seed: Math.floor(run.random() * 2 ** 31) });
  const surroundings: Surroundings = { origin, lifetimeS, inProcess: inProcess !== undefined, stores };
  await ask({ do: 'open', contestant: name, surroundings });
  return { name, origin, ask, seen: () => run.server.ask({ do: 'seen', origin } satisfies ServerMessage), end: child.end };
}

/**
 * Measures in rounds A B C, B C A, …: what disturbs the machine disturbs all alike. Who is compared with each other stands in one
 * group: their turns are next to each other, in either order. Each epoch begins with new processes.
 */
export async function interleaved(
  run: Run,
  groups: readonly (readonly string[])[],
  plan: { readonly epochs: number; readonly rounds: number; readonly open: OpenOptions },
  round: (contestant: Opened, isWarmUp: boolean) => Promise<number>,
): Promise<Map<string, number[]>> {
  const names = groups.flat();
  const figures = new Map<string, number[]>(names.map((name) => [name, []]));
  for (let epoch = 0; epoch < plan.epochs; epoch++) {
    const opened = await Promise.all(names.map((name) => openContestant(run, name, plan.open)));
    try {
      for (const contestant of opened) await round(contestant, true);
      for (let count = 0; count < plan.rounds; count++) {
        const order = shuffled(groups, run.random).flatMap((group) => shuffled(group, run.random));
        for (const contestant of order.flatMap((name) => opened.find((each) => each.name === name) ?? [])) {
          figures.get(contestant.name)?.push(await round(contestant, false));
        }
      }
    } finally {
      for (const contestant of opened) contestant.end();
    }
  }
  return figures;
}

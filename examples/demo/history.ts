import type { Fact } from './page-messages.ts';

const rememberedMs = 100_000;
const rememberedLines = 60;

/** The facts of the last minutes, and which of them changed since somebody looked. */
export class History {
  readonly #facts = new Map<string, { readonly fact: Fact; readonly revision: number }>();
  readonly #began = performance.now();
  #revision = 0;

  /** Milliseconds since the demo began. */
  get now(): number {
    return Math.round(performance.now() - this.#began);
  }

  get revision(): number {
    return this.#revision;
  }

  /** Adds a fact, or puts it in the place of the one with the same `id`. */
  set<F extends Fact>(fact: F): F {
    this.#facts.delete(fact.id);
    this.#facts.set(fact.id, { fact, revision: ++this.#revision });
    return fact;
  }

  since(revision: number): Fact[] {
    this.#forget();
    return [...this.#facts.values()].filter((entry) => entry.revision > revision).map(({ fact }) => fact);
  }

  #forget(): void {
    const oldest = this.now - rememberedMs;
    const lines = [...this.#facts.values()].filter(({ fact }) => fact.kind === 'line');
    for (const { fact } of lines.slice(0, -rememberedLines)) this.#facts.delete(fact.id);
    for (const { fact } of this.#facts.values()) {
      const isOpen = !('to' in fact) && (fact.kind === 'trouble' ? fact.isSpan : fact.kind !== 'calls');
      if (fact.kind !== 'line' && !isOpen && fact.from < oldest) this.#facts.delete(fact.id);
    }
  }
}

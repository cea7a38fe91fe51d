import type { Clock } from '../core/clock.js';
import type { JournalEntry, TokenEvent } from '../core/events.js';
import { isolated } from '../core/isolated.js';

const length = 200;

/** The last events, oldest first. A listener's own failure is written down and hurts nobody. */
export class Journal {
  #entries: readonly JournalEntry[] = [];
  readonly #clock: Clock;
  readonly #listener: ((entry: JournalEntry) => void) | undefined;

  constructor(clock: Clock, listener: ((entry: JournalEntry) => void) | undefined) {
    this.#clock = clock;
    this.#listener = listener;
  }

  get entries(): readonly JournalEntry[] {
    return this.#entries;
  }

  report(event: TokenEvent): void {
    const entry = this.#add(event);
    isolated(this.#listener, entry, () => this.#add({ type: 'warning', code: 'listener_failed', message: `onEvent failed on "${event.type}"` }));
  }

  #add(event: TokenEvent): JournalEntry {
    const entry = Object.freeze({ ...event, at: this.#clock.now() });
    this.#entries = [...this.#entries.slice(1 - length), entry];
    return entry;
  }
}

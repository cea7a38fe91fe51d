import type { Clock } from '../core/clock.js';
import type { JournalEntry, TokenEvent } from '../core/events.js';
import { isolated } from '../core/isolated.js';

const length = 200;

/** The last events, oldest first. A listener's own failure is written down and hurts nobody. */
export class Journal {
  entries: readonly JournalEntry[] = [];
  /** Bound, so that it can be handed on. */
  readonly report: (event: TokenEvent) => void;

  constructor(clock: Clock, listener: ((entry: JournalEntry) => void) | undefined) {
    const add = (event: TokenEvent): JournalEntry => {
      const entry = Object.freeze({ ...event, at: clock.now() });
      this.entries = [...this.entries.slice(1 - length), entry];
      return entry;
    };
    this.report = (event) =>
      isolated(listener, add(event), () => add({ type: 'warning', code: 'listener_failed', message: `onEvent failed on "${event.type}"` }));
  }
}

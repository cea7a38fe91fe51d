import { systemClock } from '../core/system-clock.js';

/**
 * Turns of the event loop in real time, whatever the test has put in place of the timers: through a message channel where
 * there is one. An open channel keeps the process alive: close it.
 */
export class Macrotasks {
  readonly #channel: MessageChannel | undefined = typeof MessageChannel === 'undefined' ? undefined : new MessageChannel();

  /** Resolves in the next turn. One call at a time. */
  next(): Promise<void> {
    const channel = this.#channel;
    if (channel === undefined) return systemClock.sleep(1);
    return new Promise((resolve) => {
      channel.port1.onmessage = () => resolve();
      channel.port2.postMessage(undefined);
    });
  }

  close(): void {
    this.#channel?.port1.close();
  }
}

import type { Clock } from '../core/clock.js';
import { TokenError } from '../core/errors.js';
import { ageMs, type Instant, instant } from '../core/instant.js';
import { withTimeLimit } from '../core/waiting.js';
import { unavailable } from '../core/unavailable.js';

/** Calls something that may fail, or hang. Rejects with `store_unavailable`; `tooLate` gets what comes after that. */
export type Ask = <T>(call: () => Promise<T>, tooLate?: (value: T) => unknown) => Promise<T>;

// Less than a renewal gives a store: who waits for that one finds here that the server is silent, and asks no second time.
const answerMs = 4_500;
const forgetMs = 30_000;

/**
 * Bounds calls to a server. Clients queue what they cannot send, some without an end: once a call got no answer, the others fail
 * at once until it is settled, so that an outage costs one wait and not one for each call.
 */
export function answering(what: string, clock: Clock): Ask {
  let unanswered: Instant | undefined;
  const silent = (): TokenError => unavailable(`${what} did not answer within ${answerMs} ms`);
  return async <T>(call: () => Promise<T>, tooLate?: (value: T) => unknown): Promise<T> => {
    if (unanswered && ageMs(unanswered, clock) < forgetMs) throw silent();
    unanswered = undefined;
    const began = instant(clock);
    let late = false;
    try {
      return await withTimeLimit(
        clock,
        answerMs,
        () => {
          const running = call();
          const answered = (): void => {
            if (unanswered === began) unanswered = undefined;
          };
          running.then(answered, answered);
          running.then((value) => (late ? tooLate?.(value) : undefined)).catch(() => undefined);
          return running;
        },
        () => {
          unanswered = began;
          late = true;
          return silent();
        },
      );
    } catch (error) {
      // What a server or its client says may quote what was sent.
      throw error instanceof TokenError ? error : unavailable(`${what} failed`);
    }
  };
}

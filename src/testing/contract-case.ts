import { checkDuration, checkFunction, checkOptions } from '../core/check-option.js';
import { isTokenError } from '../core/errors.js';
import { systemClock } from '../core/system-clock.js';

/** One promise of a port, as a test for any test runner: `for (const { name, run } of cases) test(name, run)`. */
export interface ContractCase {
  /** A sentence about behaviour. */
  readonly name: string;
  /** Rejects with an Error that says what was wrong. */
  run(): Promise<void>;
}

export interface ContractOptions {
  /** Lets this many milliseconds pass for the implementation; with a virtual clock: `(ms) => clock.advance(ms)`. @default real time */
  readonly pass?: ((ms: number) => Promise<void>) | undefined;
  /** How long a case waits for something to happen before it fails, in milliseconds of real time. @default 5000 */
  readonly limitMs?: number | undefined;
}

/** What the cases of a contract work with. */
export interface ContractTools {
  readonly pass: (ms: number) => Promise<void>;
  /** The promise's outcome; fails when there is none within the limit. */
  within<T>(promise: Promise<T>, what: string): Promise<T>;
  /** Waits until it is true; fails when it is not within the limit. */
  until(condition: () => boolean, what: string): Promise<void>;
}

export function contractTools(where: string, make: unknown, options: ContractOptions): ContractTools {
  checkFunction(where, make ?? null);
  checkOptions(where, options, ['pass', 'limitMs']);
  checkFunction('pass', options.pass);
  const limitMs = checkDuration('limitMs', options.limitMs, 5_000);
  return {
    pass: options.pass ?? ((ms) => systemClock.sleep(ms)),

    async within(promise, what) {
      const done = new AbortController();
      const late = systemClock.sleep(limitMs, done.signal).then(() => Promise.reject(new Error(`${what}: nothing happened within ${limitMs} ms`)));
      // Once the race is over nobody hears the sleep.
      late.catch(() => undefined);
      try {
        return await Promise.race([promise, late]);
      } finally {
        done.abort();
      }
    },

    async until(condition, what) {
      for (let waitedMs = 0; !condition(); waitedMs += 5) {
        assert(waitedMs < limitMs, `${what}: not so within ${limitMs} ms`);
        await systemClock.sleep(5);
      }
    },
  };
}

export function assert(condition: boolean, message: string): asserts condition {
  if (!condition) throw new Error(message);
}

export function assertEqual(actual: unknown, expected: unknown, what: string): void {
  if (!Object.is(actual, expected)) throw new Error(`${what}: expected ${shown(expected)}, got ${shown(actual)}`);
}

/** What the promise rejects with; fails when it does not. */
export async function rejection(promise: Promise<unknown>, what: string): Promise<unknown> {
  const outcome = await promise.then(
    (value) => ({ value }),
    (reason: unknown) => ({ reason }),
  );
  if ('reason' in outcome) return outcome.reason;
  throw new Error(`${what}: expected a rejection, got ${shown(outcome.value)}`);
}

export async function assertLockTimeout(promise: Promise<unknown>, what: string): Promise<void> {
  const reason = await rejection(promise, what);
  assert(isTokenError(reason) && reason.code === 'lock_timeout', `${what}: expected a TokenError with code "lock_timeout", got ${shown(reason)}`);
}

function shown(value: unknown): string {
  if (value instanceof Error) return `${value.name}: ${value.message}`;
  if (typeof value === 'string') return value.length > 80 ? `a string of ${value.length} characters` : `"${value}"`;
  return String(value);
}

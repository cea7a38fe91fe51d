import { checkOptions, checkString, invalidOption } from '../core/check-option.js';
import type { Clock } from '../core/clock.js';
import type { RejectedToken } from '../core/preset.js';
import { readText } from '../core/read-text.js';
import { checkClock } from '../core/system-clock.js';
import { withTimeLimit } from '../core/waiting.js';
import { parseChallenges } from './parse-challenges.js';

const longestBody = 65_536;
const longestReadMs = 5_000;

/** Ways to refuse a token beside the standards' own. */
export interface TokenRejections {
  /** Whether answers of this status may be one; others are not looked at. */
  readonly concern: (status: number) => boolean;
  /** Whether the response is a refusal; must leave its body to the caller. */
  readonly matches: (response: Response, signal: AbortSignal | undefined) => Promise<boolean>;
}

export interface RejectedTokenOptions {
  /** Times the reading of a body. @default the machine's clock */
  readonly clock?: Clock | undefined;
}

/**
 * Reads the forms in which some APIs refuse a token beside a 401: a 200 with an error in its JSON, a status of their own. For `alsoRejected`.
 *
 * A body counts when it is JSON (`application/json`, `application/…+json`) of at most 64 KiB that is there within 5 s; the caller waits for it,
 * and gets it whole: a copy is read.
 * @throws {TokenError} `invalid_option`
 */
export function rejectedToken(forms: readonly RejectedToken[], options: RejectedTokenOptions = {}): TokenRejections {
  checkOptions('rejectedToken', options, ['clock']);
  const clock = checkClock(options.clock);
  if (!Array.isArray(forms)) throw invalidOption('rejectedToken', 'a list of forms', forms);
  for (const form of forms) checkForm(form);
  return {
    concern: (status) => forms.some((form) => form.status === status),
    async matches(response, signal) {
      const fitting = forms.filter(
        ({ status, headerError }) => status === response.status && (headerError === undefined || isChallenged(response, headerError)),
      );
      if (fitting.some(({ path }) => path === undefined)) return true;
      if (fitting.length === 0 || !/^application\/(?:[\w.-]+\+)?json\b/i.test(response.headers.get('content-type') ?? '')) return false;
      const body = await readJson(response.clone(), clock, signal);
      return fitting.some(({ path = '', equals }) => memberAt(body, path) === equals);
    },
  };
}

function checkForm(form: RejectedToken): void {
  checkOptions('rejectedToken', form, ['status', 'headerError', 'path', 'equals']);
  const { status, headerError, path, equals } = form;
  if (!Number.isInteger(status) || status < 200 || status > 599) throw invalidOption('rejectedToken.status', 'a status from 200 to 599', status);
  if (headerError !== undefined) checkString('rejectedToken.headerError', headerError);
  if (path !== undefined) checkString('rejectedToken.path', path);
  // Half a comparison, or a success of any kind, would take every answer for a refusal.
  if ((path === undefined) !== (equals === undefined)) throw invalidOption('rejectedToken', '"path" and "equals" together', form);
  if (status < 400 && headerError === undefined && path === undefined) throw invalidOption('rejectedToken', 'more than the status of a success', form);
}

function isChallenged(response: Response, error: string): boolean {
  return parseChallenges(response).some(({ params }) => params['error'] === error);
}

function memberAt(body: unknown, path: string): unknown {
  return path.split('.').reduce((value, name) => (Object.hasOwn(Object(value), name) ? Reflect.get(Object(value), name) : undefined), body);
}

async function readJson(copy: Response, clock: Clock, signal: AbortSignal | undefined): Promise<unknown> {
  try {
    // A body that is written bit by bit would hold the call as long as it lasts.
    const text = await withTimeLimit(
      clock,
      longestReadMs,
      (limited) => readText(copy, longestBody, limited),
      () => undefined,
      signal,
    );
    return JSON.parse(text ?? '');
  } catch {
    signal?.throwIfAborted();
    return undefined;
  }
}

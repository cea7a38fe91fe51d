import { TokenError } from './errors.js';

/** A failure of construction: names the option, what was given and what is expected. */
export function invalidOption(option: string, expected: string, given: unknown): TokenError {
  return new TokenError('invalid_option', `option "${option}": expected ${expected}, got ${describe(given)}`, { phase: 'options' });
}

// Strings are described by length alone: any of them may be a secret that landed in the wrong place. So may a positive whole
// number, which is never wrong where a number is expected.
function describe(value: unknown): string {
  if (typeof value === 'string') return `a string of ${value.length} characters`;
  if (Array.isArray(value)) return `a list of ${value.length}`;
  return Object(value) === value || /^[1-9]\d*$|^S/.test(String(value)) ? `a value of type ${typeof value}` : String(value);
}

/** Checks that the options themselves are an object and, where their names are `known`, carry no misspelt member. */
export function checkOptions(where: string, options: unknown, known?: readonly string[]): asserts options is object {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) throw invalidOption(where, 'an options object', options);
  const stranger = known && Object.keys(options).find((name) => !known.includes(name));
  if (stranger !== undefined)
    throw new TokenError('invalid_option', `${where}: unknown option "${stranger.slice(0, 40)}"; it takes ${known?.join(', ')}`, { phase: 'options' });
}

// The value as it is, if it fits, and the default when it was left out.
function fitting<T>(option: string, expected: string, fits: (value: unknown) => value is T, value: unknown, fallback?: T): T {
  const chosen = value === undefined ? fallback : value;
  if (!fits(chosen)) throw invalidOption(option, expected, value);
  return chosen;
}

const isText = (value: unknown): value is string => typeof value === 'string' && value !== '' && !hasControlCharacter(value);
const isDuration = (value: unknown): value is number => Number.isFinite(value) && Number(value) >= 0;
const isCount = (value: unknown): value is number => Number.isInteger(value) && Number(value) > 0;
const isScopeToken = (value: unknown): value is string => typeof value === 'string' && /^[\x21\x23-\x5b\x5d-\x7e]+$/.test(value);
const isResource = (value: unknown): value is string => isUri(value) && !value.includes('#');

/** A number of milliseconds, 0 or more; the default when left out. */
export function checkDuration(option: string, value: unknown, fallback: number): number {
  return fitting(option, 'a finite number of milliseconds, 0 or more', isDuration, value, fallback);
}

/** A whole number, 1 or more; the default when left out. */
export function checkCount(option: string, value: unknown, fallback: number): number {
  return fitting(option, 'a whole number, 1 or more', isCount, value, fallback);
}

/** A string that is not empty and has no control characters. */
export function checkString(option: string, value: unknown): string {
  return fitting(option, 'a string that is not empty and has no control characters', isText, value);
}

export function checkBoolean(option: string, value: unknown, fallback: boolean): boolean {
  return fitting(option, 'true or false', (given) => typeof given === 'boolean', value, fallback);
}

export function checkFunction(option: string, value: unknown): void {
  if (value !== undefined && typeof value !== 'function') throw invalidOption(option, 'a function', value);
}

/** An object that has the named methods. */
export function checkPort(option: string, value: unknown, methods: readonly string[]): void {
  const fits = methods.every((name) => typeof Reflect.get(Object(value), name) === 'function');
  if (value !== undefined && !fits) throw invalidOption(option, `an object with ${methods.join('(), ')}()`, value);
}

/** A list of strings from a space-separated string or a list; undefined when left out. */
export function checkScope(option: string, value: unknown): readonly string[] | undefined {
  const list = typeof value === 'string' ? value.split(' ').filter(Boolean) : value;
  return checkList(option, 'scope tokens in a string or a list', isScopeToken, list, value);
}

/** Resource indicators: absolute URIs without a fragment (RFC 8707 §2); undefined when left out. */
export function checkResource(option: string, value: unknown): readonly string[] | undefined {
  return checkList(option, 'absolute URIs without a fragment', isResource, value, value);
}

function checkList(option: string, expected: string, fits: (value: unknown) => value is string, value: unknown, given: unknown): readonly string[] | undefined {
  if (value === undefined) return undefined;
  const list = [value].flat();
  if (list.length === 0 || !list.every(fits)) throw invalidOption(option, expected, given);
  return list;
}

/** An absolute URI as it is written: a URL parser also takes blanks, line ends and backslashes, and drops or turns them. */
export function isUri(value: unknown): value is string {
  return typeof value === 'string' && !/[\s\\\p{Cc}]/u.test(value) && URL.canParse(value);
}

/** True for C0 and C1 control characters and DEL. */
export function hasControlCharacter(text: string): boolean {
  return /\p{Cc}/u.test(text);
}

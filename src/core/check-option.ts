import { TokenError } from './errors.js';

/** A failure of construction: names the option, what was given and what is expected. */
export function invalidOption(option: string, expected: string, given: unknown): TokenError {
  return new TokenError('invalid_option', `option "${option}": expected ${expected}, got ${describe(given)}`, { phase: 'options' });
}

// Strings are described by length alone: any of them may be a secret that landed in the wrong place.
function describe(value: unknown): string {
  if (typeof value === 'string') return value === '' ? 'an empty string' : `a string of ${value.length} characters`;
  if (typeof value === 'number' || typeof value === 'boolean' || value === undefined || value === null) return String(value);
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : `a list of ${value.length}`;
  return typeof value === 'function' ? 'a function' : `a ${typeof value}`;
}

/** Checks that the options themselves are an object and carry no misspelt member. */
export function checkOptions(where: string, options: unknown, known: readonly string[]): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) throw invalidOption(where, 'an options object', options);
  for (const name of Object.keys(options)) {
    if (!known.includes(name))
      throw new TokenError('invalid_option', `${where}: unknown option "${name.slice(0, 40)}"; it takes ${known.join(', ')}`, { phase: 'options' });
  }
}

/** A number of milliseconds, 0 or more; the default when left out. */
export function checkDuration(option: string, value: unknown, fallback: number): number {
  if (value === undefined) return fallback;
  if (typeof value !== 'number' || !Number.isFinite(value) || value < 0) throw invalidOption(option, 'a finite number of milliseconds, 0 or more', value);
  return value;
}

/** A whole number, 1 or more; the default when left out. */
export function checkCount(option: string, value: unknown, fallback: number): number {
  if (value === undefined) return fallback;
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 1) throw invalidOption(option, 'a whole number, 1 or more', value);
  return value;
}

/** A string that is not empty and has no control characters. */
export function checkString(option: string, value: unknown): string {
  if (typeof value !== 'string' || value === '') throw invalidOption(option, 'a string that is not empty', value);
  if (hasControlCharacter(value)) throw invalidOption(option, 'a string without control characters', value);
  return value;
}

export function checkBoolean(option: string, value: unknown, fallback: boolean): boolean {
  if (value === undefined) return fallback;
  if (typeof value !== 'boolean') throw invalidOption(option, 'true or false', value);
  return value;
}

export function checkFunction(option: string, value: unknown): void {
  if (value !== undefined && typeof value !== 'function') throw invalidOption(option, 'a function', value);
}

/** An object that has the named methods. */
export function checkPort(option: string, value: unknown, methods: readonly string[]): void {
  if (value === undefined) return;
  const missing = typeof value === 'object' && value !== null ? methods.filter((name) => typeof Reflect.get(value, name) !== 'function') : methods;
  if (missing.length > 0) throw invalidOption(option, `an object with ${methods.map((name) => `${name}()`).join(', ')}`, value);
}

/** A list of strings from a space-separated string or a list; undefined when left out. */
export function checkScope(option: string, value: unknown): readonly string[] | undefined {
  if (value === undefined) return undefined;
  const list: unknown[] = typeof value === 'string' ? value.split(' ').filter(Boolean) : Array.isArray(value) ? value : [value];
  if (list.length === 0 || !list.every(isScopeToken)) throw invalidOption(option, 'scope tokens (RFC 6749 §3.3), separated by spaces or in a list', value);
  return list;
}

function isScopeToken(value: unknown): value is string {
  return typeof value === 'string' && /^[\x21\x23-\x5b\x5d-\x7e]+$/.test(value);
}

/** Resource indicators: absolute URIs without a fragment (RFC 8707 §2); undefined when left out. */
export function checkResource(option: string, value: unknown): readonly string[] | undefined {
  if (value === undefined) return undefined;
  const list: unknown[] = Array.isArray(value) ? value : [value];
  if (list.length === 0 || !list.every(isResource)) throw invalidOption(option, 'absolute URIs without a fragment (RFC 8707 §2)', value);
  return list;
}

function isResource(value: unknown): value is string {
  return typeof value === 'string' && URL.canParse(value) && !value.includes('#') && !hasControlCharacter(value);
}

/** True for C0 and C1 control characters and DEL. */
export function hasControlCharacter(text: string): boolean {
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code < 0x20 || (code >= 0x7f && code <= 0x9f)) return true;
  }
  return false;
}

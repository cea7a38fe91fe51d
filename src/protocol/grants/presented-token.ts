import { checkString, hasControlCharacter, invalidOption } from '../../core/check-option.js';
import { randomId } from '../../core/random.js';
import { askFor } from '../wire/ask-for.js';

/** A token that a grant hands in, or a function that is asked for it at every attempt: what is handed in is then never stale. */
export type PresentedToken = string | (() => string | Promise<string>);

/** Reads a token that a grant hands in. `option`: how messages call it. */
export function tokenReader(option: string, token: unknown): () => Promise<string> {
  if (typeof token !== 'function') {
    const value = checkString(option, token);
    return () => Promise.resolve(value);
  }
  return async () => {
    const value: unknown = await askFor(`"${option}"`, () => token());
    if (typeof value !== 'string' || value === '' || hasControlCharacter(value))
      throw invalidOption(option, 'a function that gives a string that is not empty and has no control characters', value);
    return value;
  };
}

/**
 * What tells a grant that hands in these tokens from another with the same settings: the tokens themselves, to be
 * digested. Those that a function gives change; the grant is then told apart by the `id` that the application gives it, or by
 * chance.
 */
export function presentedBy(id: unknown, tokens: readonly unknown[]): string {
  const fixed = tokens.filter((token) => typeof token === 'string');
  const name = id === undefined ? (tokens.some((token) => typeof token === 'function') ? randomId() : undefined) : checkString('id', id);
  return [name, ...fixed].filter((part) => part !== undefined).join(' ');
}

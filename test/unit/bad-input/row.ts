import { inspect } from 'node:util';

/** Stands in every string of the tables that a user may have meant as a secret: no message may hold it. */
export const canary = 'canary-5f0e';
/** The same as a number. */
export const canaryNumber = 8675309;

/** One call that must fail, the option that its message names, and the words that say what is expected. */
export interface Row {
  readonly title: string;
  readonly make: () => unknown;
  readonly named: string;
  readonly words: string;
}

/** What is wrong with the options, which option the message names, what it expects, and the rule behind it. */
export type Spoilt = readonly [changes: object, named: string, words: string, rule?: string];

type Factory = (...args: never[]) => unknown;

/** Calls a factory as JavaScript code would, whatever the types say. */
export function call(factory: Factory, ...args: readonly unknown[]): unknown {
  return Reflect.apply(factory, undefined, args);
}

/** Calls that differ from one that succeeds by the named members of their options. */
export function spoilt(name: string, make: (options: object) => unknown, good: object, list: readonly Spoilt[]): Row[] {
  return list.map(([changes, named, words, rule]) => ({
    title: `${name}: ${shown(changes)}${rule === undefined ? '' : ` ${rule}`}`,
    make: () => make({ ...good, ...changes }),
    named,
    words,
  }));
}

/** Calls with something else in the place of the options. */
export function noObject(name: string, make: (options: unknown) => unknown, isOptional: boolean, named: string = name): Row[] {
  const values = [null, [], [canary], canary, canaryNumber, true, () => canary, ...(isOptional ? [] : [undefined])];
  return values.map((value) => ({ title: `${name}: ${shown(value)} for the options`, make: () => make(value), named, words: 'an options object' }));
}

/** A call with one argument that does not fit. */
export function argument(name: string, factory: Factory, args: readonly unknown[], named: string, words: string, rule?: string): Row {
  return { title: `${name}(${args.map(shown).join(', ')})${rule === undefined ? '' : ` ${rule}`}`, make: () => call(factory, ...args), named, words };
}

function shown(value: unknown): string {
  return inspect(value, { depth: 3, breakLength: Number.POSITIVE_INFINITY }).replace(/\[(Function|AsyncFunction)[^\]]*\]/g, 'a function');
}

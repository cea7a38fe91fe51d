import { randomId } from '../core/random.js';
import type { StoreWrite, TokenStore } from '../core/token-store.js';
import { assertEqual, type ContractTools } from './contract-case.js';

/** What a case of the store contract works with. */
export interface StoreCaseContext extends ContractTools {
  readonly store: TokenStore;
  /** Another instance over the same data where the store is shared, else the store itself. */
  readonly other: TokenStore;
  /** A key that nobody used before. */
  readonly key: string;
}

export type StoreCase = (context: StoreCaseContext) => Promise<void>;

/** A write over `expected`, under a version of its own. */
export function over(expected: string | undefined): StoreWrite {
  return { expected, next: randomId() };
}

export async function put(store: TokenStore, key: string, value: string, expected?: string): Promise<string> {
  const write = over(expected);
  assertEqual(await store.set(key, value, write), true, 'set() over the current version');
  return write.next;
}

export async function assertStored(store: TokenStore, key: string, value: string, version: string): Promise<void> {
  const stored = await store.get(key);
  assertEqual(stored?.value, value, 'the stored value');
  assertEqual(stored?.version, version, 'the stored version');
}

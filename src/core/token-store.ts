import type { Lock } from './lock.js';

/** A value as a store holds it. */
export interface Stored {
  readonly value: string;
  /** Chosen by the writer, at random: a counter that starts again after a delete would let a late writer in. */
  readonly version: string;
  /** Milliseconds since the write, by the store's own clock; undefined where the store has none. */
  readonly ageMs?: number | undefined;
}

/** The conditions and companions of one write. */
export interface StoreWrite {
  /** The version that must be there now; undefined: there must be nothing. */
  readonly expected: string | undefined;
  /** The version that this write gives it. */
  readonly next: string;
  /** How old the value already is, in milliseconds, where it is a copy: its age goes on from there. @default 0 */
  readonly ageMs?: number | undefined;
  /** Kept in clear beside the value by stores that can be listed. */
  readonly index?: StoreIndex | undefined;
}

export interface StoreIndex {
  readonly accountId: string;
  readonly state: string;
  readonly dueAt?: number | undefined;
}

/**
 * A durable home for records, with compare-and-swap. A failing store rejects; it never answers `undefined` or `false`
 * instead. Every implementation passes `storeContract` of `tokenkeep/testing`.
 */
export interface TokenStore {
  get(key: string): Promise<Stored | undefined>;
  /** Writes if the stored version is `write.expected`. False: someone was first, and nothing was written. */
  set(key: string, value: string, write: StoreWrite): Promise<boolean>;
  /** Removes if the stored version is `expected`. */
  delete(key: string, expected: string): Promise<boolean>;
  /** The lock that excludes everyone who uses this store. */
  readonly lock?: Lock | undefined;
  /** True when other processes or tabs see the same data. */
  readonly shared?: boolean | undefined;
  /** True when a reader may see what another one has long replaced, even under the lock: no home for a refresh token that rotates. */
  readonly mayBeStale?: boolean | undefined;
  /** Calls back when another writer changed `key`. A hint: the listener reads again. Returns its undo. */
  subscribe?(key: string, listener: () => void): () => void;
}

/** A store that can be searched by the index beside its values. */
export interface AccountStore extends TokenStore {
  /** A page of what fits the query, in an order of the store's own that does not change between pages. */
  list(query: StoreQuery): Promise<StorePage>;
}

export interface StoreQuery {
  /** Only what is due before this instant, in epoch milliseconds. */
  readonly dueBefore?: number | undefined;
  readonly state?: string | undefined;
  /** Where the page before ended. */
  readonly cursor?: string | undefined;
  readonly limit: number;
}

export interface StorePage {
  readonly entries: readonly (StoreIndex & { readonly key: string })[];
  /** Where the next page begins; undefined: this was the last one. */
  readonly cursor?: string | undefined;
}

/** Where keys live that never leave the crypto of this runtime. */
export interface KeyStore {
  /** The key of that name; made and kept when there is none yet. Atomic: callers at the same time get the same key. */
  getOrCreate<K extends CryptoKey | CryptoKeyPair>(name: string, make: () => Promise<K>): Promise<K>;
  delete(name: string): Promise<void>;
}

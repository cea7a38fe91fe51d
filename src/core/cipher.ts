/** Seals texts for places that others can read. */
export interface Cipher {
  /** Gives another result each time. `context` is bound to it as associated data: it opens with the same context only. */
  encrypt(text: string, context: string): Promise<string>;
  /**
   * The text; undefined when it does not open: changed, sealed for another context, or under a key that is gone. Rejects
   * when that cannot be told now, because the keys cannot be reached or a newer version sealed it.
   */
  decrypt(sealed: string, context: string): Promise<string | undefined>;
}

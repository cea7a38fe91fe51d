import { randomId } from '../core/random.js';

/** The DPoP nonces of one server (RFC 9449 §8, §9). */
export class DpopNonces {
  readonly #prefix = randomId();
  readonly #unused = new Set<string>();

  /** The nonce for an answer; `everyMs`: how long one is given out, 0 for once. */
  next(now: number, everyMs: number): string {
    if (everyMs > 0) return this.#ofTurn(Math.floor(now / everyMs));
    const nonce = randomId();
    this.#unused.add(nonce);
    return nonce;
  }

  /** Whether a proof may carry it: the current one, the one before, or one that nobody used yet. */
  accepts(nonce: unknown, now: number, everyMs: number): boolean {
    if (typeof nonce !== 'string') return false;
    const turn = Math.floor(now / everyMs);
    return everyMs > 0 ? [turn, turn - 1].some((each) => nonce === this.#ofTurn(each)) : this.#unused.delete(nonce);
  }

  #ofTurn(turn: number): string {
    return `${this.#prefix}.${turn}`;
  }
}

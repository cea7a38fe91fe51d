import { instant } from '../core/instant.js';
import type { TokenError } from '../core/errors.js';
import { withTimeLimit } from '../core/waiting.js';
import type { Prove } from '../core/access-token.js';
import { type Decision, decide, type TokenRequest } from '../manager/decide.js';
import { endedError } from '../manager/failures.js';
import { unavailable } from '../core/unavailable.js';
import { parseRecord } from '../manager/parse-record.js';
import { recordName } from '../manager/record-name.js';
import { emptyRecord, type GrantRecord, type HeldToken } from '../manager/state.js';
import { channelOf, tellChange } from '../storage/change-hint.js';
import { defaultDatabase } from '../storage/indexed-db-records.js';
import type { SessionSetup } from './session-setup.js';

const limitMs = 5_000;
const slow = (): TokenError => unavailable('the store is slow');

/**
 * What the store holds of a session, read once: enough to serve its tokens while the code that renews is on its way.
 */
export class StoredSession {
  record: GrantRecord = emptyRecord;
  /** Why only a new sign-in helps, if so. */
  ended: TokenError | undefined;
  readonly #setup: SessionSetup;
  readonly #prove: Prove;

  constructor(setup: SessionSetup, prove: Prove) {
    this.#setup = setup;
    this.#prove = prove;
  }

  /** Never fails: what cannot be read is not there yet, and whoever renews will say why. */
  async read(): Promise<void> {
    const { records, clock, skewMs, minValidMs } = this.#setup;
    const began = instant(clock);
    try {
      const stored = await withTimeLimit(clock, limitMs, async () => records.get(await this.#name()), slow);
      this.record = (stored && parseRecord(stored, began, { skewMs, minValidMs, spread: 0, prove: this.#prove })) ?? emptyRecord;
      const { ended } = this.record;
      this.ended = ended && endedError(ended);
    } catch {
      // Asked again, and reported, by the manager.
    }
  }

  /** Somebody else is in charge: what it holds is not to stay in this memory. */
  forget(): void {
    this.record = emptyRecord;
    this.ended = undefined;
  }

  held(targetKey: string): HeldToken | undefined {
    return this.record.tokens.find((held) => held.targetKey === targetKey);
  }

  decide(targetKey: string, request: TokenRequest | undefined): Decision {
    const { clock } = this.#setup;
    const known = { loaded: true, ended: this.ended, held: this.held(targetKey), flight: undefined, cooldown: undefined };
    return decide(known, request, clock.now(), clock.monotonicMs());
  }

  /**
   * Signs out without the code that could tell the server: a record that is gone counts as signed out in all tabs.
   * @throws {TokenError} `store_unavailable`
   */
  async remove(): Promise<void> {
    const { records, clock, options } = this.#setup;
    const name = await this.#name();
    const removed = async (): Promise<void> => {
      // Somebody may write at the same time.
      for (let tries = 0; tries < 5; tries++) {
        const stored = await records.get(name);
        if (!stored || (await records.delete(name, stored.version))) return;
      }
      throw slow();
    };
    await withTimeLimit(clock, limitMs, removed, slow);
    // As the store itself tells it, whose code is not here.
    if (options.store === undefined) tellChange(channelOf(defaultDatabase), 'removed', name, '');
    this.forget();
  }

  #name(): Promise<string> {
    return recordName({ id: this.#setup.grantId });
  }
}

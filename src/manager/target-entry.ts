import type { TokenError } from '../core/errors.js';
import type { TokenTarget } from '../core/token-source.js';
import type { TargetState } from './decide.js';
import { endedError } from './failures.js';
import type { Flight } from './flight.js';
import type { RecordKeeper } from './record-keeper.js';
import type { Cooldown, HeldToken } from './state.js';
import { targetOf } from './target-of.js';

const sameInstantMs = 1_000;

/** One API that tokens are for, and what is known about its token. A manager may have many of them: they are kept small. */
export class TargetEntry implements TargetState {
  readonly key: string;
  readonly keeper: RecordKeeper;
  loaded: boolean;
  held: HeldToken | undefined = undefined;
  flight: Flight | undefined = undefined;
  cooldown: Cooldown | undefined = undefined;
  ended: TokenError | undefined = undefined;
  loading: Promise<void> | undefined = undefined;
  /** The token whose end was announced last, so that each is announced once. */
  expiring: HeldToken | undefined = undefined;
  expired: HeldToken | undefined = undefined;

  constructor(key: string, keeper: RecordKeeper, loaded: boolean) {
    this.key = key;
    this.keeper = keeper;
    this.loaded = loaded;
    this.takeOver();
  }

  get target(): TokenTarget {
    return targetOf(this.key);
  }

  /** The token that the record holds for this target. */
  get stored(): HeldToken | undefined {
    return this.keeper.record.tokens.find((held) => held.targetKey === this.key);
  }

  /** Takes over what the record says. */
  takeOver(): void {
    const { stored } = this;
    const { ended } = this.keeper.record;
    if (stored && !isSame(stored, this.held)) this.cooldown = undefined;
    this.held = stored;
    this.ended = ended && endedError(ended);
  }
}

/**
 * A record that was read again holds the tokens it held before as new objects, some older than they seemed: no news, and
 * nothing to announce.
 */
export function isSame(held: HeldToken | undefined, known: HeldToken | undefined): boolean {
  return held?.token.value === known?.token.value && (held?.mono ?? 0) - (known?.mono ?? 0) < sameInstantMs;
}

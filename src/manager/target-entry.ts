import type { TokenError } from '../core/errors.js';
import type { TokenTarget } from '../core/token-source.js';
import type { TargetState } from './decide.js';
import type { Flight } from './flight.js';
import type { RecordKeeper } from './record-keeper.js';
import type { Cooldown, HeldToken } from './state.js';
import { targetOf } from './target-key.js';

/** One API that tokens are for, and what is known about its token. */
export class TargetEntry implements TargetState {
  readonly key: string;
  readonly keeper: RecordKeeper;
  loaded: boolean;
  held: HeldToken | undefined;
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
    this.held = heldFor(this);
  }

  get target(): TokenTarget {
    return targetOf(this.key);
  }
}

/** The token that the record holds for the target. */
export function heldFor({ keeper, key }: TargetEntry): HeldToken | undefined {
  return keeper.record.tokens.find((held) => held.targetKey === key);
}

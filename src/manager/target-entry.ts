import type { TokenError } from '../core/errors.js';
import type { TokenTarget } from '../core/token-source.js';
import type { TargetState } from './decide.js';
import type { Flight } from './flight.js';
import type { RecordKeeper } from './record-keeper.js';
import type { Cooldown, HeldToken } from './state.js';

/** One API that tokens are for, and what is known about its token. */
export interface TargetEntry extends TargetState {
  readonly key: string;
  readonly target: TokenTarget;
  readonly keeper: RecordKeeper;
  held: HeldToken | undefined;
  flight: Flight | undefined;
  cooldown: Cooldown | undefined;
  ended: TokenError | undefined;
  loaded: boolean;
  loading: Promise<void> | undefined;
  /** The token whose end was announced last, so that each is announced once. */
  expiring: HeldToken | undefined;
  expired: HeldToken | undefined;
}

/** The token that the record holds for the target. */
export function heldFor({ keeper, key }: TargetEntry): HeldToken | undefined {
  return keeper.record.tokens.find((held) => held.targetKey === key);
}

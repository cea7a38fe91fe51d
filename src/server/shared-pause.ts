import type { Clock } from '../core/clock.js';
import { isTokenError } from '../core/errors.js';
import type { Grant } from '../core/grant.js';
import { randomId } from '../core/random.js';
import type { TokenStore } from '../core/token-store.js';
import { askStore } from '../manager/ask-store.js';
import { recordName } from '../manager/record-name.js';
import { limits } from '../manager/retry.js';
import { leftAlone } from './endpoint-pace.js';

/**
 * The grant, which leaves its token endpoint alone as long as that has asked any process over the same store to. What lies there is a
 * number of milliseconds, aged by the store's clock; who cannot read or write it, or age it, goes by what it was told itself.
 * (`standards.md` R22 to R24)
 */
export function withSharedPause(grant: Grant, store: TokenStore | undefined, clock: Clock): Grant {
  if (store?.shared !== true) return grant;
  return {
    ...grant,
    async request(current, context) {
      const key = `${await recordName(grant)}:pause`;
      const known = await askStore(clock, () => store.get(key)).catch(() => undefined);
      // Without an age it would never end.
      const leftMs = Math.min(Number(known?.value), limits.retryAfterMs) - (known?.ageMs ?? Infinity);
      if (leftMs > 0) throw leftAlone(leftMs);
      try {
        return await grant.request(current, context);
      } catch (error) {
        // What this process alone has, a broken network or an old secret, holds up nobody else.
        const askedMs = (isTokenError(error) && error.kind === 'transient' && error.retryAfterMs) || 0;
        // Whoever was first was told as much.
        if (askedMs > 0) await askStore(clock, () => store.set(key, String(askedMs), { expected: known?.version, next: randomId() })).catch(() => undefined);
        throw error;
      }
    },
  };
}

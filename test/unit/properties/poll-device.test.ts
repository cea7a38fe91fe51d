import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isTokenError, TokenError, type TokenSet } from '../../../src/index.js';
import { pollDevice } from '../../../src/protocol/grants/poll-device.js';
import { virtualClock } from '../../../src/testing/virtual-clock.js';

type Reply = { readonly say: 'pending' | 'unreachable' | 'tokens' | 'denied' } | { readonly say: 'slow_down'; readonly intervalMs: number };

const tokens: TokenSet = { accessToken: 'at', tokenType: 'Bearer', sentAt: 0, lifetimeMs: 1, scope: [] };
const oauthError = (word: string, retryAfterMs?: number): TokenError =>
  new TokenError('unknown_error', word, { phase: 'token', oauthError: word, retryAfterMs });

const reply: fc.Arbitrary<Reply> = fc.oneof(
  { weight: 5, arbitrary: fc.constant<Reply>({ say: 'pending' }) },
  { weight: 2, arbitrary: fc.record({ say: fc.constant('slow_down' as const), intervalMs: fc.integer({ min: 5_000, max: 60_000 }) }) },
  { weight: 2, arbitrary: fc.constant<Reply>({ say: 'unreachable' }) },
  { weight: 1, arbitrary: fc.constantFrom<Reply>({ say: 'tokens' }, { say: 'denied' }) },
);

function answer(given: Reply): Promise<TokenSet> {
  if (given.say === 'tokens') return Promise.resolve(tokens);
  if (given.say === 'unreachable') return Promise.reject(new TokenError('network_error', 'planned', { phase: 'token' }));
  if (given.say === 'denied') return Promise.reject(oauthError('access_denied'));
  return Promise.reject(given.say === 'slow_down' ? oauthError('slow_down', given.intervalMs) : oauthError('authorization_pending'));
}

describe('polling for a device', () => {
  it('keeps the interval that the server last asked for, never asks past the end, and ends with what was decided [G4]', async () => {
    const script = fc.array(reply, { minLength: 1, maxLength: 40 });
    await fc.assert(
      fc.asyncProperty(script, fc.integer({ min: 1_000, max: 20_000 }), fc.integer({ min: 1_000, max: 100_000 }), async (replies, intervalMs, expiresInMs) => {
        const clock = virtualClock();
        const began = clock.now();
        const prompt = { userCode: 'A', verificationUri: 'https://as.test', verificationUriComplete: undefined, expiresAt: began + expiresInMs, intervalMs };
        const asked: { readonly at: number; readonly given: Reply }[] = [];
        const ask = (): Promise<TokenSet> => {
          const given = replies[asked.length] ?? { say: 'pending' };
          asked.push({ at: clock.now() - began, given });
          return answer(given);
        };
        const outcome = pollDevice({ deviceCode: 'dc', expiresInMs, prompt }, ask, clock, new AbortController().signal).catch((error: unknown) => error);
        await clock.advance(expiresInMs + 1);
        const ended = await outcome;

        let leastMs = intervalMs;
        let before = 0;
        for (const { at, given } of asked) {
          expect(at - before).toBeGreaterThanOrEqual(leastMs);
          expect(at).toBeLessThan(expiresInMs);
          if (given.say === 'slow_down') leastMs = Math.max(leastMs + 5_000, given.intervalMs);
          before = at;
        }
        const last = asked.at(-1)?.given.say;
        if (last === 'tokens') expect(ended).toBe(tokens);
        else expect(isTokenError(ended) && [ended.code, ended.oauthError]).toEqual(['login_required', last === 'denied' ? 'access_denied' : undefined]);
        expect(asked.slice(0, -1).every(({ given }) => given.say !== 'tokens' && given.say !== 'denied')).toBe(true);
        expect(clock.pending).toBe(0);
      }),
    );
  });
});

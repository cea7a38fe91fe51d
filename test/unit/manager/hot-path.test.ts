import { createTokenManager } from 'tokenkeep';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { hourMs, scriptedGrant } from './support.js';

describe('a token that is at hand, on the machine clock', () => {
  const at = { wallMs: 1_700_000_000_000, monoMs: 5_000 };
  const monotonicMs = vi.fn(() => at.monoMs);

  beforeEach(() => {
    Object.assign(at, { wallMs: at.wallMs + hourMs, monoMs: at.monoMs + hourMs });
    vi.spyOn(Date, 'now').mockImplementation(() => at.wallMs);
    vi.spyOn(performance, 'now').mockImplementation(monotonicMs);
  });
  afterEach(() => vi.restoreAllMocks());

  it('is one promise for all who ask', async () => {
    const tokens = createTokenManager({ grant: scriptedGrant('regrant') });
    const first = await tokens.getToken();
    const promise = tokens.getToken();
    expect(tokens.getToken()).toBe(promise);
    expect(tokens.for({}).getToken()).toBe(promise);
    expect(await promise).toBe(first);
  });

  it('reads the monotonic clock once in a millisecond, however many ask', async () => {
    const tokens = createTokenManager({ grant: scriptedGrant('regrant') });
    await tokens.getToken();
    at.wallMs++;
    monotonicMs.mockClear();
    for (let call = 0; call < 1_000; call++) void tokens.getToken();
    expect(monotonicMs).toHaveBeenCalledTimes(1);
    at.wallMs++;
    void tokens.getToken();
    expect(monotonicMs).toHaveBeenCalledTimes(2);
  });

  it.each([
    ['set back a little', -1],
    ['set back by an hour', -hourMs],
    ['going on', 1],
  ])('runs out by the monotonic clock with the wall clock %s [E8]', async (_situation, wallMs) => {
    const grant = scriptedGrant('regrant');
    const tokens = createTokenManager({ grant });
    await tokens.getToken();
    await tokens.getToken();
    at.wallMs += wallMs;
    at.monoMs += hourMs;
    expect((await tokens.getToken()).value).toBe('at-2');
  });
});

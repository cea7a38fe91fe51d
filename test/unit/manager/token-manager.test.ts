import { createTokenManager } from 'tokenkeep';
import { virtualClock } from 'tokenkeep/testing';
import { describe, expect, it } from 'vitest';
import { scriptedGrant, transient } from './support.js';

describe('getToken', () => {
  it('asks the server once for ten thousand concurrent callers [R2]', async () => {
    const grant = scriptedGrant('regrant');
    const tokens = createTokenManager({ grant, clock: virtualClock() });
    const answers = await Promise.all(Array.from({ length: 10_000 }, () => tokens.getToken()));
    expect(grant.requests).toHaveLength(1);
    expect(new Set(answers).size).toBe(1);
  });

  it('renews behind the callers inside the skew window and serves the current token meanwhile [E2]', async () => {
    const clock = virtualClock();
    const grant = scriptedGrant('regrant');
    const tokens = createTokenManager({ grant, clock });
    await tokens.getToken();
    await clock.advance(3_600_000 - 50_000);
    expect((await tokens.getToken()).value).toBe('at-1');
    await clock.advance(0);
    expect((await tokens.getToken()).value).toBe('at-2');
    expect(grant.requests).toHaveLength(2);
  });

  it('sends three requests and then gives every caller the same failure', async () => {
    const clock = virtualClock();
    const grant = scriptedGrant('regrant', transient());
    const tokens = createTokenManager({ grant, clock });
    const first = tokens.getToken();
    const second = tokens.getToken();
    const settled = Promise.allSettled([first, second]);
    await clock.advance(60_000);
    const [a, b] = await settled;
    expect(a).toMatchObject({ status: 'rejected', reason: { code: 'network_error', attempts: 3 } });
    expect(b.status === 'rejected' && a.status === 'rejected' && b.reason === a.reason).toBe(true);
    expect(grant.requests).toHaveLength(3);
  });
});

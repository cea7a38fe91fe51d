import { TokenError, type TokenManagerOptions, type TokenSet, type TokenStore } from 'tokenkeep';
import { type VirtualClock, virtualClock } from 'tokenkeep/testing';
import { describe, expect, it } from 'vitest';
import { buildManager, type KeptTokens } from '../../../src/manager/kept-tokens.js';
import { renew } from '../../../src/manager/renew.js';
import type { StoreWrite } from '../../../src/core/token-store.js';
import { after, hourMs, observedStore, rejection, scriptedGrant, type ScriptedGrant, type Step, transient } from './support.js';

const brought = (name: string, changes: Partial<TokenSet> = {}): TokenSet => ({
  accessToken: `at-${name}`,
  tokenType: 'Bearer',
  sentAt: Date.UTC(2026, 0, 1),
  lifetimeMs: hourMs,
  scope: [],
  refreshToken: `rt-${name}`,
  ...changes,
});

const renewNow = ({ renew: follow, tokens }: KeptTokens) => follow('', { reason: 'expiring', background: true, want: { invalidToken: tokens.peek()?.value } });

interface Scene {
  readonly clock: VirtualClock;
  readonly grant: ScriptedGrant;
  readonly writes: StoreWrite[];
  readonly store: TokenStore;
  readonly kept: KeptTokens;
}

function setUp(script: readonly Step[] = [], options: Partial<TokenManagerOptions> = {}, indexed = true): Scene {
  const clock = virtualClock();
  const inner = observedStore(clock);
  const writes: StoreWrite[] = [];
  const store: TokenStore = {
    ...inner,
    set(key, value, write) {
      writes.push(write);
      return inner.set(key, value, write);
    },
  };
  const grant = scriptedGrant('refreshToken', ...script);
  const indexOf = ({ ended, pending }: ReturnType<KeptTokens['record']>) => ({ accountId: 'acme', state: ended ?? (pending ? 'renewing' : 'healthy') });
  const kept = buildManager({ grant, clock, store, ...options }, { renew, ...(indexed && { indexOf }) });
  return { clock, grant, writes, store, kept };
}

describe('a record that can be listed', () => {
  it('has its index written with every change of it', async () => {
    const { kept, writes } = setUp([{ refreshToken: 'rt-2' }, new TokenError('grant_revoked', 'planned', { phase: 'token' })]);
    await kept.signIn(brought('a'));
    await renewNow(kept);
    await rejection(renewNow(kept));
    expect(writes.map(({ index }) => index?.state)).toEqual(['healthy', 'renewing', 'healthy', 'renewing', 'grant_revoked']);
    expect(writes.every(({ index }) => index?.accountId === 'acme')).toBe(true);
  });

  it('has none where nobody lists it', async () => {
    const { kept, writes } = setUp([], {}, false);
    await kept.signIn(brought('a'));
    expect(writes).toHaveLength(1);
    expect(writes[0]).not.toHaveProperty('index');
  });
});

describe('a sign-in with conditions', () => {
  it('may bring a refresh token alone, which the first caller spends', async () => {
    const { kept, grant } = setUp();
    await kept.signIn(brought('a', { accessToken: '' }));
    expect(kept.record()).toMatchObject({ refreshToken: 'rt-a', tokens: [] });
    expect((await kept.tokens.getToken()).value).toBe('at-1');
    expect(grant.requests[0]?.current).toMatchObject({ refreshToken: 'rt-a', accessToken: '' });
  });

  it('leaves a record alone that it must not replace, also one that another writer was first with [A32]', async () => {
    const { kept, store, clock, grant } = setUp();
    const other = buildManager({ grant, clock, store }, { renew });
    await other.signIn(brought('first'));
    const refuses = ({ refreshToken }: ReturnType<KeptTokens['record']>) => refreshToken !== undefined;
    expect(await rejection(kept.signIn(brought('second'), { refuses }))).toMatchObject({ code: 'session_changed' });
    expect((await kept.tokens.getToken()).value).toBe('at-first');
    expect(kept.record().refreshToken).toBe('rt-first');
  });

  it('fails where it must be stored and cannot be', async () => {
    const clock = virtualClock();
    const broken: TokenStore = { ...observedStore(clock), set: () => Promise.reject(new Error('full')) };
    const { kept } = setUp([], { clock, store: broken });
    expect(await rejection(kept.signIn(brought('a'), { mustStore: true }))).toMatchObject({ code: 'store_unavailable' });
    expect((await kept.tokens.getToken()).value).toBe('at-a');
  });
});

describe('a renewal that is asked for', () => {
  it('renews however long the token has left, while the callers get the one they have [R4]', async () => {
    const { kept, clock, grant } = setUp([after(1_000)]);
    await kept.signIn(brought('a'));
    const renewed = renewNow(kept);
    await clock.advance(500);
    expect(kept.isBusy()).toBe(true);
    expect((await kept.tokens.getToken()).value).toBe('at-a');
    await clock.advance(500);
    await renewed;
    expect((await kept.tokens.getToken()).value).toBe('at-1');
    expect(grant.requests).toHaveLength(1);
    expect(kept.isBusy()).toBe(false);
  });

  it('is content with what another process has renewed meanwhile [R5]', async () => {
    const { kept, clock, grant, store } = setUp();
    await kept.signIn(brought('a'));
    const other = buildManager({ grant, clock, store }, { renew });
    await renewNow(other);
    await renewNow(kept);
    expect(grant.requests).toHaveLength(1);
    expect((await kept.tokens.getToken()).value).toBe('at-1');
  });

  it('rests after a failure, and does not disturb a grant that has ended [R21, R24]', async () => {
    const { kept, clock, grant } = setUp([transient({ code: 'rate_limited' }), {}, new TokenError('grant_revoked', 'planned', { phase: 'token' })]);
    await kept.signIn(brought('a'));
    expect(await rejection(renewNow(kept))).toMatchObject({ code: 'rate_limited' });
    expect(await rejection(renewNow(kept))).toMatchObject({ code: 'rate_limited', fromCache: true });
    expect(grant.requests).toHaveLength(1);
    await clock.advance(5_000);
    await renewNow(kept);
    expect(await rejection(renewNow(kept))).toMatchObject({ code: 'grant_revoked' });
    expect(await rejection(renewNow(kept))).toMatchObject({ code: 'grant_revoked' });
    expect(grant.requests).toHaveLength(3);
    await kept.tokens.dispose();
    expect(await rejection(renewNow(kept))).toMatchObject({ code: 'disposed' });
  });
});

describe('further members of a response', () => {
  it('stay when a renewal does not repeat them [P29]', async () => {
    const { kept } = setUp([{ raw: { instance_url: 'https://b.example' } }]);
    await kept.signIn(brought('a', { raw: { tenant: 'acme', instance_url: 'https://a.example' } }));
    await renewNow(kept);
    expect(kept.record().raw).toEqual({ tenant: 'acme', instance_url: 'https://b.example' });
  });
});

import { channel, subscribe, tracingChannel, unsubscribe } from 'node:diagnostics_channel';
import { clientSecretBasic, memoryStore, TokenError } from 'tokenkeep';
import { createServiceClient, type ServiceClientOptions } from 'tokenkeep/server';
import { fakeAuthorizationServer, type ServerKnobs, virtualClock } from 'tokenkeep/testing';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { leaks, shown } from '../core/leaks.js';
import { hourMs, observedStore, rejection } from '../manager/support.js';
import { firm } from './accounts-support.js';

const secret = 'secret-of-billing-7xQ';
const client = { issuer: 'https://as.test', clientId: 'billing' };

function start(options: Partial<ServiceClientOptions> = {}, knobs: Partial<ServerKnobs> = {}) {
  const clock = virtualClock();
  const server = fakeAuthorizationServer({ clock, knobs, clients: { billing: secret } });
  const make = () =>
    createServiceClient({ server: server.metadata, clientId: 'billing', auth: clientSecretBasic(secret), fetch: server.fetch, clock, ...options });
  return { clock, server, make, service: make() };
}

const undo: (() => void)[] = [];
afterEach(() => {
  for (const each of undo.splice(0)) each();
  vi.unstubAllGlobals();
});

const steps = ['start', 'end', 'asyncStart', 'asyncEnd', 'error'] as const;
const plain = ['tokenkeep.lock', 'tokenkeep.event', 'tokenkeep.http'];
const traced = ['tokenkeep.renewal', 'tokenkeep.wait'].flatMap((name) => steps.map((step) => `tracing:${name}:${step}`));

/** Everything that is published, in order; messages as they are then. */
function listen(...names: string[]): { readonly name: string; readonly message: object }[] {
  const heard: { name: string; message: object }[] = [];
  for (const name of names) {
    const listener = (message: unknown): void => void heard.push({ name, message: { ...Object(message) } });
    subscribe(name, listener);
    undo.push(() => unsubscribe(name, listener));
  }
  return heard;
}
const named = (heard: ReturnType<typeof listen>, name: string): object[] => heard.filter((each) => each.name === name).map(({ message }) => message);

describe('the diagnostics channels of a service', () => {
  it('tell of a wait, the renewal in it, its lock and its events, in this order', async () => {
    const heard = listen(...plain, ...traced);
    const { clock, service } = start();
    const token = await service.tokens.getToken();
    const issuedAt = clock.now();
    const expected = [
      ['tracing:tokenkeep.wait:start', { ...client, target: 'default' }],
      ['tracing:tokenkeep.wait:end', {}],
      ['tracing:tokenkeep.renewal:start', { ...client, target: 'default', reason: 'missing', background: false }],
      ['tracing:tokenkeep.renewal:end', {}],
      ['tokenkeep.lock', { ...client, waitedMs: 0, acquired: true }],
      ['tokenkeep.event', { ...client, event: { type: 'token', source: 'server', at: issuedAt } }],
      ['tracing:tokenkeep.renewal:asyncStart', {}],
      ['tracing:tokenkeep.renewal:asyncEnd', { source: 'server', issuedAt, expiresAt: token.expiresAt }],
      ['tracing:tokenkeep.wait:asyncStart', {}],
      ['tracing:tokenkeep.wait:asyncEnd', { ...client, target: 'default' }],
    ];
    expect(heard.map(({ name }) => name)).toEqual(expected.map(([name]) => name));
    for (const [index, [, message]] of expected.entries()) expect(heard[index]?.message).toMatchObject(Object(message));
  });

  it('tell of every caller that waits, of one renewal, and of nothing while a token is at hand', async () => {
    const heard = listen(...traced);
    const { clock, service } = start();
    const waiting = Array.from({ length: 5 }, () => service.tokens.getToken());
    await Promise.all(waiting);
    expect(named(heard, 'tracing:tokenkeep.wait:asyncEnd')).toHaveLength(5);
    expect(named(heard, 'tracing:tokenkeep.renewal:asyncEnd')).toHaveLength(1);
    heard.length = 0;
    expect(service.tokens.getToken()).toBe(service.tokens.getToken());
    expect(heard).toEqual([]);
    // A renewal behind the callers, for whom nobody waits.
    await clock.advance(hourMs - 30_000);
    await service.tokens.getToken();
    await clock.advance(0);
    expect(named(heard, 'tracing:tokenkeep.wait:start')).toEqual([]);
    expect(named(heard, 'tracing:tokenkeep.renewal:asyncEnd')).toMatchObject([{ background: true, reason: 'expiring' }]);
  });

  it('tell adopted tokens, with the time at which somebody else has drawn them, from requested ones', async () => {
    const clock = virtualClock();
    const store = memoryStore({ clock });
    const { server, make, service } = start({ clock, store });
    const first = await service.tokens.getToken();
    const issuedAt = clock.now();
    const other = make();
    await other.tokens.getToken();
    await clock.advance(1_000);
    const heard = listen('tracing:tokenkeep.renewal:asyncEnd');
    await service.tokens.getToken({ invalidToken: first });
    await other.tokens.getToken({ invalidToken: first });
    expect(heard.map(({ message }) => message)).toMatchObject([
      { source: 'server', reason: 'refused', issuedAt: issuedAt + 1_000 },
      { source: 'store', reason: 'refused', issuedAt: issuedAt + 1_000 },
    ]);
    expect(server.tokenRequests).toBe(2);
  });

  it('tell failures by kind and code, how long a lock was waited for, and which callers left', async () => {
    const heard = listen(...plain, ...traced);
    const clock = virtualClock();
    const { service } = start({ clock, store: observedStore(clock, { shared: true }) }, { connection: 'dropBeforeCommit' });
    const leaving = new AbortController();
    const left = service.tokens.getToken({ signal: leaving.signal });
    const failing = rejection(service.tokens.getToken());
    leaving.abort(new Error(`the caller's own reason, with ${secret}`));
    await expect(left).rejects.toThrow('own reason');
    await clock.advance(60_000);
    expect(await failing).toMatchObject({ code: 'network_error', kind: 'transient' });
    expect(named(heard, 'tracing:tokenkeep.renewal:error')).toMatchObject([{ error: expect.any(TokenError) }]);
    expect(named(heard, 'tracing:tokenkeep.renewal:error')).toMatchObject([{ error: { code: 'network_error' } }]);
    // What the caller gave as its reason is the caller's.
    expect(named(heard, 'tracing:tokenkeep.wait:error').map((message) => Object(message).error)).toEqual([undefined, expect.any(TokenError)]);
    expect(named(heard, 'tokenkeep.event')).toContainEqual(expect.objectContaining({ event: expect.objectContaining({ type: 'renewal_failed' }) }));
  });

  it('tell when a lock was not to be had', async () => {
    const heard = listen('tokenkeep.lock');
    const lock = {
      run: () => Promise.reject(new TokenError('lock_timeout', 'taken', { phase: 'lock' })),
    };
    const { service } = start({ lock });
    expect(await rejection(service.tokens.getToken())).toMatchObject({ code: 'lock_timeout' });
    expect(heard).toMatchObject([{ message: { ...client, waitedMs: 0, acquired: false } }]);
  });

  it('hold no secret and no token, whatever happens [S6]', async () => {
    const raw: unknown[] = [];
    for (const name of [...plain, ...traced]) {
      const listener = (message: unknown): void => void raw.push(message);
      subscribe(name, listener);
      undo.push(() => unsubscribe(name, listener));
    }
    const { clock, server, service } = start();
    const values: string[] = [];
    const api = service.http({
      baseUrl: 'https://api.test',
      fetch: async (_input, init) => {
        values.push(new Headers(init?.headers).get('authorization')?.replace('Bearer ', '') ?? '');
        return new Response('', { status: values.length === 1 ? 401 : 200, headers: { 'www-authenticate': 'Bearer error="invalid_token"' } });
      },
    });
    await api.get('https://api.test/orders');
    expect(new Set(values).size).toBe(2);
    server.set({ error: 'invalid_client', errorMembers: { error_description: secret } });
    await clock.advance(2 * hourMs);
    await rejection(service.tokens.getToken());
    expect(raw.length).toBeGreaterThan(20);
    expect(raw.map(shown).join('\n')).toContain('retried');
    // No message leads to a token's value either.
    expect(raw.filter((message) => 'result' in Object(message) && Object(message).result !== undefined)).toEqual([]);
    expect(leaks(raw.map(shown).join('\n'), [...values, secret, btoa(`billing:${secret}`)])).toEqual([]);
  });

  it('leave everything as it is for a subscriber that throws, and for nobody who listens', async () => {
    const quiet = vi.fn();
    process.setUncaughtExceptionCaptureCallback(quiet);
    undo.push(() => process.setUncaughtExceptionCaptureCallback(null));
    const broken = (): never => {
      throw new Error('a subscriber failed');
    };
    subscribe('tokenkeep.lock', broken);
    undo.push(() => unsubscribe('tokenkeep.lock', broken));
    const { service } = start();
    expect((await service.tokens.getToken()).type).toBe('Bearer');
    await new Promise((resolve) => setImmediate(resolve));
    expect(quiet).toHaveBeenCalledOnce();
    expect([channel('tokenkeep.event').hasSubscribers, tracingChannel('tokenkeep.wait').hasSubscribers]).toEqual([false, false]);
  });

  it('are not there in a runtime without the module, and nothing else changes', async () => {
    const heard = listen(...plain, ...traced);
    vi.stubGlobal('process', undefined);
    const { service } = start();
    vi.unstubAllGlobals();
    await service.tokens.getToken();
    expect(heard).toEqual([]);
  });
});

describe('the diagnostics channels of connected accounts', () => {
  const subject = 'subject-of-alice-9fQ';
  const about = { issuer: 'https://as.test', clientId: 'client', accountId: 'acme' };

  it('tell of a renewal, its wait and its lock like those of a service, and name the account by the application’s own id', async () => {
    const { clock, connect, accounts } = firm();
    await connect('acme');
    await clock.advance(2 * hourMs);
    const heard = listen(...plain, ...traced);
    const tokens = await Promise.all([accounts.account('acme').getToken(), accounts.account('acme').getToken()]);
    expect(named(heard, 'tracing:tokenkeep.wait:asyncEnd')).toEqual([
      { ...about, target: 'default' },
      { ...about, target: 'default' },
    ]);
    expect(named(heard, 'tracing:tokenkeep.renewal:asyncEnd')).toEqual([
      { ...about, target: 'default', reason: 'expired', background: false, source: 'server', issuedAt: clock.now(), expiresAt: tokens[0]?.expiresAt },
    ]);
    expect(named(heard, 'tokenkeep.lock')).toEqual([{ ...about, waitedMs: 0, acquired: true }]);
    expect(named(heard, 'tokenkeep.event')).toContainEqual({ ...about, event: expect.objectContaining({ type: 'token', source: 'server' }) });
    heard.length = 0;
    await accounts.account('acme').getToken();
    expect(heard).toEqual([]);
    await accounts.dispose();
  });

  it('tell adopted tokens of other processes, and what a sweep renews behind everybody', async () => {
    const { clock, connect, accounts, another } = firm({ refreshTokenIdleMs: 10 * hourMs });
    const other = another();
    await connect('acme');
    await connect('beta');
    await clock.advance(2 * hourMs);
    const heard = listen('tracing:tokenkeep.renewal:asyncEnd');
    await Promise.all([accounts, other].map((each) => each.account('acme').getToken()));
    expect(heard.map(({ message }) => Object(message).source).toSorted()).toEqual(['server', 'store']);
    heard.length = 0;
    await clock.advance(8 * hourMs);
    expect(await accounts.sweep()).toMatchObject({ renewed: 2 });
    expect(heard.map(({ message }) => message)).toEqual([
      expect.objectContaining({ accountId: expect.stringMatching(/^(acme|beta)$/), background: true, source: 'server' }),
      expect.objectContaining({ accountId: expect.stringMatching(/^(acme|beta)$/), background: true, source: 'server' }),
    ]);
    await Promise.all([accounts.dispose(), other.dispose()]);
  });

  it('tell once that an account needs a reconnect, and why', async () => {
    const { clock, server, connect, accounts, events } = firm();
    await connect('acme');
    await clock.advance(2 * hourMs);
    server.set({ error: 'invalid_grant' });
    const heard = listen('tokenkeep.event', 'tracing:tokenkeep.renewal:error');
    await rejection(accounts.account('acme').getToken());
    await rejection(accounts.account('acme').getToken());
    const wanted = { type: 'needs_reconnect', reason: 'grant_revoked', at: clock.now(), accountId: 'acme' };
    expect(named(heard, 'tokenkeep.event').filter((message) => Object(message).event.type === 'needs_reconnect')).toEqual([{ ...about, event: wanted }]);
    expect(events.filter(({ type }) => type === 'needs_reconnect')).toEqual([wanted]);
    expect(named(heard, 'tracing:tokenkeep.renewal:error')).toMatchObject([{ ...about, error: { code: 'grant_revoked' } }]);
    await accounts.dispose();
  });

  it('hold no secret, no token, no subject and no account of another, whatever happens [S6]', async () => {
    const raw: unknown[] = [];
    for (const name of [...plain, ...traced]) {
      const listener = (message: unknown): void => void raw.push(message);
      subscribe(name, listener);
      undo.push(() => unsubscribe(name, listener));
    }
    const { clock, server, store, connect, accounts } = firm({}, { user: subject });
    const values: string[] = [];
    for (const accountId of ['acme', 'beta']) {
      await connect(accountId);
      expect((await accounts.details(accountId))?.subject).toBe(subject);
    }
    for (const round of [1, 2]) {
      await clock.advance(round * hourMs);
      for (const accountId of ['acme', 'beta']) values.push((await accounts.account(accountId).getToken()).value);
      values.push(...[...store.dump().matchAll(/refreshToken\\*":\\*"([^"\\]+)/g)].map(([, value = '']) => value));
    }
    const kept = store.before;
    store.before = () => Promise.reject(new Error(`a store that quotes ${values[0]}`));
    await clock.advance(2 * hourMs);
    const failing = rejection(accounts.account('acme').getToken());
    await clock.advance(hourMs);
    await failing;
    store.before = kept;
    server.set({ error: 'invalid_grant', errorMembers: { error_description: `of ${subject} with ${values.at(-1)}` } });
    await clock.advance(2 * hourMs);
    await rejection(accounts.account('acme').getToken());
    await accounts.disconnect('beta').catch(() => undefined);

    expect(new Set(values).size).toBeGreaterThanOrEqual(8);
    expect(raw.length).toBeGreaterThan(20);
    const text = raw.map(shown).join('\n');
    for (const told of ['acme', 'beta', 'needs_reconnect', 'storage_error']) expect(text).toContain(told);
    expect(leaks(text, [...values, subject, 'secret-of-the-client', btoa('client:secret-of-the-client')])).toEqual([]);
    // A message is about one account, and the other's name is not in it.
    for (const message of raw) expect(shown(message)).not.toMatch(Object(message).accountId === 'acme' ? /beta/ : /acme/);
    await accounts.dispose();
  });
});

import { beforeEach, describe, expect, it } from 'vitest';
import { context, portsSuite, site } from './support/ports-suite.js';
import { openTab, type Tab } from './support/tabs.js';

let a: Tab;
let b: Tab;
const complaints: string[] = [];

portsSuite();

beforeEach(async () => {
  [a, b] = await Promise.all([openTab(context, site.url, complaints), openTab(context, site.url, complaints)]);
});

describe('webLock()', () => {
  const holdIn = (tab: Tab): Promise<void> =>
    tab.ports.evaluate((ports) => {
      const begun = Promise.withResolvers<void>();
      const hold = (): Promise<never> => {
        begun.resolve();
        return new Promise(() => undefined);
      };
      ports.webLock().run('record', hold, { waitMs: 0 }).catch(begun.reject);
      return begun.promise;
    });

  it.each([
    ['is closed', () => a.page.close()],
    ['crashes', () => a.page.goto('chrome://crash').catch(() => undefined)],
    ['goes elsewhere', () => a.page.goto('about:blank')],
  ])('is free within a second when the tab that holds it %s, and not before [X3] [X5] [gap 4]', async (_how, end) => {
    await holdIn(a);
    const before = await b.ports.evaluate((ports) => ports.failure(ports.webLock().run('record', async () => undefined, { waitMs: 100 })));
    expect(before).toBe('lock_timeout: the lock was not free within 100 ms');
    const waiting = b.ports.evaluate((ports) => ports.webLock().run('record', async () => Date.now(), { waitMs: 10_000 }));
    await b.page.waitForFunction(async () => (await navigator.locks.query()).pending?.length === 1, undefined, { polling: 5 });
    const beforeEnd = Date.now();
    await end();
    const endedAt = Date.now();
    const gotAt = await waiting;
    expect(gotAt).toBeGreaterThanOrEqual(beforeEnd);
    expect(gotAt - endedAt).toBeLessThan(1_000);
  });

  it('tells its task when it was stolen [X3]', async () => {
    await a.ports.evaluate((ports) => {
      const task = (held: AbortSignal): Promise<string> => new Promise((resolve) => held.addEventListener('abort', () => resolve(String(held.reason))));
      Reflect.set(globalThis, 'told', ports.webLock().run('record', task, { waitMs: 0 }));
    });
    await b.page.evaluate(() => navigator.locks.request('tokenkeep:record', { steal: true }, () => undefined));
    expect(await a.page.evaluate(() => Reflect.get(globalThis, 'told'))).toBe('TokenError: the lock was lost while its task ran');
  });
});

describe('indexedDbStore()', () => {
  it('loses no write of two tabs that write the same record at once, encrypted or not [X7]', async () => {
    const add = (tab: Tab, isEncrypted: boolean): Promise<number> =>
      tab.ports.evaluate(async (ports, encrypts) => {
        const store = encrypts ? ports.encrypted(ports.indexedDbStore()) : ports.indexedDbStore();
        const key = `counter ${encrypts}`;
        let lost = 0;
        for (let added = 0; added < 100; ) {
          const stored = await store.get(key);
          const next = crypto.randomUUID();
          if (await store.set(key, String(Number(stored?.value ?? 0) + 1), { expected: stored?.version, next })) added++;
          else lost++;
        }
        return lost;
      }, isEncrypted);
    const lost = await Promise.all([add(a, false), add(b, false), add(a, true), add(b, true)]);
    // Without a single collision nothing was shown.
    expect(Math.max(...lost)).toBeGreaterThan(0);
    const values = await a.ports.evaluate(async (ports) => {
      const store = ports.indexedDbStore();
      return [(await store.get('counter false'))?.value, (await ports.encrypted(store).get('counter true'))?.value];
    });
    expect(values).toEqual(['200', '200']);
  });

  it('tells other tabs of each change of a record, and says nothing of what is in it [X8]', async () => {
    const canary = 'canary-5f0e9b1c7d3a-canary';
    await b.ports.evaluate((ports) => {
      const sniffed: unknown[] = [];
      const heard: string[] = [];
      // Hints have one channel for each database.
      new BroadcastChannel('tokenkeep:tokenkeep').onmessage = ({ data }) => void sniffed.push(data);
      Reflect.set(globalThis, 'sniffed', sniffed);
      Reflect.set(globalThis, 'heard', heard);
      ports.indexedDbStore().subscribe?.('record', () => heard.push('record'));
      ports.indexedDbStore().subscribe?.('other', () => heard.push('other'));
    });
    await a.ports.evaluate(async (ports, secret) => {
      const store = ports.indexedDbStore();
      const customGrant = ports.customGrant(async () => ({ accessToken: secret, refreshToken: `${secret}-rt`, expiresInMs: 60_000 }));
      await ports.createTokenManager({ grant: customGrant, store }).getToken();
      await store.set('record', secret, { expected: undefined, next: 'first' });
      await store.set('record', secret, { expected: 'wrong', next: 'never' });
      await store.delete('record', 'first');
    }, canary);
    await b.page.waitForFunction(() => Reflect.get(globalThis, 'sniffed').length >= 3, undefined, { polling: 5 });
    await b.page.waitForFunction(() => Reflect.get(globalThis, 'heard').length >= 2, undefined, { polling: 5 });
    const sniffed: readonly unknown[] = await b.page.evaluate(() => Reflect.get(globalThis, 'sniffed'));
    expect(sniffed.slice(-2)).toEqual([
      { v: 1, kind: 'written', key: 'record', generation: 'first' },
      { v: 1, kind: 'removed', key: 'record', generation: 'first' },
    ]);
    const text = JSON.stringify(sniffed);
    for (let at = 0; at + 8 <= canary.length; at++) expect(text).not.toContain(canary.slice(at, at + 8));
    for (const hint of sniffed) expect(Object.keys(Object(hint))).toEqual(['v', 'kind', 'key', 'generation']);
    expect(await b.page.evaluate(() => Reflect.get(globalThis, 'heard'))).toEqual(['record', 'record']);
  });

  it('calls a listener at most ten times a second, however many hints come, and ignores what it does not know [X9]', async () => {
    await a.ports.evaluate((ports) => {
      const calls: number[] = [];
      Reflect.set(globalThis, 'calls', calls);
      const store = ports.indexedDbStore();
      store.subscribe?.('record', () => calls.push(performance.now()));
      store.subscribe?.('marker', () => Reflect.set(globalThis, 'marked', true));
    });
    const flood = (messages: readonly unknown[], times: number): Promise<void> =>
      b.page.evaluate(
        ([hints, count]) => {
          const channel = new BroadcastChannel('tokenkeep:tokenkeep');
          for (let sent = 0; sent < count; sent++) for (const hint of hints) channel.postMessage(hint);
        },
        [messages, times] as const,
      );
    const calls = (): Promise<readonly number[]> => a.page.evaluate(() => Reflect.get(globalThis, 'calls'));
    await flood([null, 'record', 7, [], { v: 2, key: 'record' }, { key: 'record' }, { v: 1, key: 'other' }, { v: 1 }, { v: '1', key: 'record' }], 100);
    await flood([{ v: 1, key: 'marker' }], 1);
    await a.page.waitForFunction(() => Reflect.has(globalThis, 'marked'), undefined, { polling: 5 });
    expect(await calls()).toEqual([]);
    // Until a second has passed in the tab that listens.
    const begin = Date.now();
    while (Date.now() - begin < 1_000) await flood([{ v: 1, kind: 'written', key: 'record', generation: 'forged' }], 200);
    const at = await calls();
    expect(at.length).toBeGreaterThan(2);
    // A busy page runs a listener some milliseconds late, and the next one on time.
    expect(at.length).toBeLessThanOrEqual(((at.at(-1) ?? 0) - (at[0] ?? 0)) / 100 + 2);
  });
});

describe('indexedDbKeyStore()', () => {
  it('gives two tabs that ask at once the same key, round after round [S3]', async () => {
    const seal = (tab: Tab, round: number): Promise<string> =>
      tab.ports.evaluate(
        async (ports, name) => ports.webCryptoCipher({ keyStore: ports.indexedDbKeyStore(), name }).encrypt('text', 'context'),
        `key ${round}`,
      );
    for (let round = 0; round < 20; round++) {
      const sealed = await Promise.all([seal(a, round), seal(b, round)]);
      const opened = await a.ports.evaluate(
        (ports, [name, ...texts]) => {
          const cipher = ports.webCryptoCipher({ keyStore: ports.indexedDbKeyStore(), name });
          return Promise.all(texts.map((text) => cipher.decrypt(text, 'context')));
        },
        [`key ${round}`, ...sealed] as const,
      );
      expect(opened).toEqual(['text', 'text']);
    }
  });
});

it('complain of nothing in the console', () => {
  expect(complaints).toEqual([]);
});

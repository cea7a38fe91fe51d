import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { context, portsSuite, site } from './support/ports-suite.js';
import { launchIn, launchPartitioned, openTab, portsOf, type Tab } from './support/tabs.js';

let tab: Tab;

portsSuite();

beforeEach(async () => {
  tab = await openTab(context, site.url);
});

const canary = 'canary-5f0e9b1c7d3a-canary';

describe('what is kept', () => {
  it('is read again after a reload and after a restart of the browser, under a key that cannot be exported [S3]', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'tokenkeep-profile-'));
    try {
      const first = await launchIn(folder);
      const before = await openTab(first, site.url);
      await before.ports.evaluate(async (ports, value) => {
        await ports.encrypted(ports.indexedDbStore()).set('record', value, { expected: undefined, next: 'first' });
        const pair = (): Promise<CryptoKeyPair> => crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign', 'verify']);
        const { publicKey } = await ports.indexedDbKeyStore().getOrCreate('pair', pair);
        localStorage.setItem('public', JSON.stringify(await crypto.subtle.exportKey('jwk', publicKey)));
      }, canary);
      const look = (reloaded: Tab): Promise<unknown> =>
        reloaded.ports.evaluate(async (ports) => {
          const mustNotMake = (): Promise<never> => Promise.reject(new Error('made anew'));
          const keys = ports.indexedDbKeyStore();
          const key = await keys.getOrCreate<CryptoKey>('storage', mustNotMake);
          const pair = await keys.getOrCreate<CryptoKeyPair>('pair', mustNotMake);
          const exported = await Promise.all(
            (['raw', 'jwk'] as const).flatMap((format) => [key, pair.privateKey].map((each) => ports.failure(crypto.subtle.exportKey(format, each)))),
          );
          return {
            value: (await ports.encrypted(ports.indexedDbStore()).get('record'))?.value,
            samePair: localStorage.getItem('public') === JSON.stringify(await crypto.subtle.exportKey('jwk', pair.publicKey)),
            extractable: [key.extractable, pair.privateKey.extractable],
            refused: exported.filter((text) => text.startsWith('foreign: InvalidAccessError')).length,
          };
        });
      const expected = { value: canary, samePair: true, extractable: [false, false], refused: 4 };
      await before.page.reload();
      expect(await look({ page: before.page, ports: await portsOf(before.page) })).toEqual(expected);
      await first.close();
      const second = await launchIn(folder);
      expect(await look(await openTab(second, site.url))).toEqual(expected);
      await second.close();
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });

  it('holds nothing in clear, and counts as unreadable under another key, another version, or when it was changed [S2]', async () => {
    const seen = await tab.ports.evaluate(async (ports, value) => {
      const inner = ports.indexedDbStore();
      const store = ports.encrypted(inner);
      await store.set('a', value, { expected: undefined, next: 'version of a' });
      await store.set('b', `${value} b`, { expected: undefined, next: 'version of b' });
      const sealedA = (await inner.get('a'))?.value ?? '';
      const records = await ports.raw('records', 'readwrite');
      records.put({ v: 1, value: sealedA, version: 'version of a' }, 'b');
      records.put({ v: 1, value: sealedA, version: 'version of b' }, 'c');
      records.put({ v: 1, value: sealedA, version: 'another version' }, 'a');
      records.put({ v: 1, value: sealedA.replace(/"data":"./, '"data":"_'), version: 'version of a' }, 'd');
      await new Promise((resolve) => records.transaction.addEventListener('complete', resolve));
      const read = await Promise.all(['a', 'b', 'c', 'd'].map((key) => store.get(key)));
      const replaced = await store.set('b', 'new', { expected: 'version of a', next: 'newer' });
      return { sealedA, read: read.map((stored) => stored?.value), replaced, after: (await store.get('b'))?.value };
    }, canary);
    for (let at = 0; at + 8 <= canary.length; at++) expect(seen.sealedA).not.toContain(canary.slice(at, at + 8));
    expect(seen).toMatchObject({ read: ['', '', '', ''], replaced: true, after: 'new' });
  });
});

describe('storage that is cleared under our feet', () => {
  it.each(['another tab deletes the database', 'the browser clears what the site has stored'])('is empty and works again when %s [X24]', async (how) => {
    const other = await openTab(context, site.url);
    for (const each of [tab, other]) {
      await each.ports.evaluate(async (ports) => {
        const store = ports.encrypted(ports.indexedDbStore());
        Reflect.set(globalThis, 'store', store);
        await store.set('record', 'value', { expected: undefined, next: 'first' });
      });
    }
    if (how.startsWith('another')) {
      await other.page.evaluate(
        () =>
          new Promise<void>((resolve, reject) => {
            const request = indexedDB.deleteDatabase('tokenkeep');
            request.onsuccess = () => resolve();
            request.onblocked = () => reject(new Error('blocked'));
          }),
      );
    } else {
      const devtools = await context.newCDPSession(tab.page);
      await devtools.send('Storage.clearDataForOrigin', { origin: new URL(site.url).origin, storageTypes: 'all' });
    }
    const store = await tab.page.evaluateHandle((): import('tokenkeep').TokenStore => Reflect.get(globalThis, 'store'));
    expect(await store.evaluate(async (kept) => [await kept.get('record'), await kept.delete('record', 'first')])).toEqual([undefined, false]);
    expect(await store.evaluate((kept) => kept.set('record', 'late', { expected: 'first', next: 'late' }))).toBe(false);
    expect(await store.evaluate((kept) => kept.set('record', 'again', { expected: undefined, next: 'second' }))).toBe(true);
    // The other tab sees the new record, under the new key.
    expect(await other.ports.evaluate(async () => (await Reflect.get(globalThis, 'store').get('record')).value)).toBe('again');
  });

  it('takes what is no record for none, and writes over it [X24]', async () => {
    const read = await tab.ports.evaluate(async (ports) => {
      const store = ports.indexedDbStore();
      await store.get('record');
      const records = await ports.raw('records', 'readwrite');
      for (const [index, junk] of [null, 7, 'text', [], {}, { value: 'x' }, { version: 'x' }, { value: 1, version: 'x' }].entries())
        records.put(junk, `junk ${index}`);
      await new Promise((resolve) => records.transaction.addEventListener('complete', resolve));
      const found = await Promise.all(Array.from({ length: 8 }, (_, index) => store.get(`junk ${index}`)));
      const written = await Promise.all(Array.from({ length: 8 }, (_, index) => store.set(`junk ${index}`, 'value', { expected: undefined, next: 'next' })));
      return { found: found.filter((stored) => stored !== undefined).length, written };
    });
    expect(read).toEqual({ found: 0, written: Array.from({ length: 8 }, () => true) });
  });
});

describe('storage that cannot be used', () => {
  const troubles: readonly (readonly [string, string, () => void])[] = [
    ['there is no IndexedDB', 'IndexedDB failed: TypeError', () => void Object.defineProperty(globalThis, 'indexedDB', { value: undefined })],
    [
      'the browser does not allow it',
      'IndexedDB failed: SecurityError',
      () => {
        IDBFactory.prototype.open = () => {
          throw new DOMException('not here', 'SecurityError');
        };
      },
    ],
    [
      'it cannot be opened in private mode',
      'IndexedDB failed: InvalidStateError',
      () => {
        const { open } = IDBFactory.prototype;
        IDBFactory.prototype.open = function () {
          const request = Reflect.apply(open, this, ['private']);
          Object.defineProperty(request, 'error', { value: new DOMException('not here', 'InvalidStateError') });
          Object.defineProperty(request, 'onsuccess', { set: () => undefined });
          request.addEventListener('success', () => request.onerror?.(new Event('error')));
          return request;
        };
      },
    ],
    [
      'another tab blocks the upgrade',
      'another tab keeps the database in an older version',
      () => {
        const { open } = IDBFactory.prototype;
        IDBFactory.prototype.open = function (...args) {
          const request = Reflect.apply(open, this, args);
          queueMicrotask(() => request.onblocked?.(new IDBVersionChangeEvent('blocked')));
          return request;
        };
      },
    ],
    [
      'a write is aborted without a reason',
      'IndexedDB failed: unknown error',
      () => {
        const { put } = IDBObjectStore.prototype;
        IDBObjectStore.prototype.put = function (...args) {
          const request = Reflect.apply(put, this, args);
          this.transaction.abort();
          return request;
        };
      },
    ],
  ];

  it.each(troubles)('says store_unavailable when %s, and a manager goes on in memory [X25]', async (_what, message, spoil) => {
    await tab.page.evaluate(spoil);
    const seen = await tab.ports.evaluate(async (ports) => {
      const store = ports.indexedDbStore();
      const failure = await ports.failure(store.set('record', 'value', { expected: undefined, next: 'first' }));
      const types: string[] = [];
      const grant = ports.customGrant(async () => ({ accessToken: 'token', expiresInMs: 60_000 }));
      const manager = ports.createTokenManager({ grant, store: ports.encrypted(store), onEvent: ({ type }) => void types.push(type) });
      return { failure, token: (await manager.getToken()).value, again: (await manager.getToken()).value, types };
    });
    expect(seen.failure).toBe(`store_unavailable: ${message}`);
    expect(seen).toMatchObject({ token: 'token', again: 'token' });
    expect(seen.types).toContain('storage_error');
  });

  it('says store_unavailable when the disk is full, leaves the record as it was, and still writes what fits [X25]', async () => {
    const devtools = await context.newCDPSession(tab.page);
    await devtools.send('Storage.overrideQuotaForOrigin', { origin: new URL(site.url).origin, quotaSize: 2_000_000 });
    const full = await tab.ports.evaluate(async (ports) => {
      const store = ports.indexedDbStore();
      const small = await store.set('record', 'small', { expected: undefined, next: 'first' });
      const failure = await ports.failure(store.set('record', 'x'.repeat(5_000_000), { expected: 'first', next: 'second' }));
      return [small, failure, (await store.get('record'))?.value, await store.set('record', 'again', { expected: 'first', next: 'third' })];
    });
    expect(full).toEqual([true, 'store_unavailable: IndexedDB failed: QuotaExceededError', 'small', true]);
  });

  it('says store_unavailable when sessionStorage is full, and leaves the record as it was [X25]', async () => {
    const full = await tab.ports.evaluate(async (ports) => {
      const store = ports.webStorageStore(sessionStorage);
      await store.set('record', 'small', { expected: undefined, next: 'first' });
      const failure = await ports.failure(store.set('record', 'x'.repeat(20_000_000), { expected: 'first', next: 'second' }));
      return [failure, (await store.get('record'))?.value];
    });
    expect(full).toEqual(['store_unavailable: Web Storage failed: it is full, or not allowed here', 'small']);
  });

  it('opens the database again after a connection that the browser closed without a word [X25]', async () => {
    const value = await tab.ports.evaluate(async (ports) => {
      const store = ports.indexedDbStore();
      await store.set('record', 'value', { expected: undefined, next: 'first' });
      const { transaction } = IDBDatabase.prototype;
      let closed = 0;
      IDBDatabase.prototype.transaction = function (...args) {
        if (closed++ === 0) this.close();
        return Reflect.apply(transaction, this, args);
      };
      return [(await store.get('record'))?.value, closed];
    });
    expect(value).toEqual(['value', 2]);
  });
});

it('is of its own in a frame of another site: neither records nor keys nor locks are shared with the tab of that origin [X23]', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tokenkeep-profile-'));
  const partitioned = await launchPartitioned(folder);
  try {
    const top = await openTab(partitioned, site.url.replace('localhost', '127.0.0.1'));
    await top.ports.evaluate(async (ports) => {
      await ports.encrypted(ports.indexedDbStore()).set('record', 'of the tab', { expected: undefined, next: 'first' });
      const begun = Promise.withResolvers<void>();
      const hold = (): Promise<never> => {
        begun.resolve();
        return new Promise(() => undefined);
      };
      ports.webLock().run('record', hold, { waitMs: 0 }).catch(begun.reject);
      await begun.promise;
    });
    const page = await partitioned.newPage();
    await page.goto(`${site.url}framed`);
    const frame = page.frames().find((each) => each.url().startsWith('http://127.0.0.1'));
    if (frame === undefined) throw new Error('no frame');
    const framed = await portsOf(frame);
    const seen = await framed.evaluate(async (ports) => {
      const store = ports.encrypted(ports.indexedDbStore());
      const found = await store.get('record');
      const taken = await ports.webLock().run('record', () => store.set('record', 'of the frame', { expected: undefined, next: 'first' }), { waitMs: 0 });
      return [found, taken];
    });
    expect(seen).toEqual([undefined, true]);
    expect(await top.ports.evaluate(async (ports) => (await ports.encrypted(ports.indexedDbStore()).get('record'))?.value)).toBe('of the tab');
  } finally {
    await partitioned.close();
    rmSync(folder, { recursive: true, force: true });
  }
});

describe('what a newer version of this package has written', () => {
  it('is left alone: its record is neither read nor replaced [X26]', async () => {
    const seen = await tab.ports.evaluate(async (ports) => {
      const store = ports.indexedDbStore();
      await store.get('record');
      const records = await ports.raw('records', 'readwrite');
      records.put({ v: 2, value: 'newer', version: 'first' }, 'record');
      await new Promise((resolve) => records.transaction.addEventListener('complete', resolve));
      const sealed = JSON.stringify({ v: 2, kid: 'storage', iv: '', data: '' });
      await store.set('sealed', sealed, { expected: undefined, next: 'first' });
      sessionStorage.setItem('tokenkeep:record', JSON.stringify({ v: 2, value: 'newer', version: 'first' }));
      const session = ports.webStorageStore(sessionStorage);
      const write = { expected: 'first', next: 'second' };
      const failures = await Promise.all(
        [
          store.get('record'),
          store.set('record', 'old', write),
          store.delete('record', 'first'),
          ports.encrypted(store).get('sealed'),
          session.set('record', 'old', write),
        ].map(ports.failure),
      );
      const after = (await ports.raw('records')).get('record');
      await new Promise((resolve) => after.addEventListener('success', resolve));
      return { failures: [...new Set(failures)], after: after.result, session: sessionStorage.getItem('tokenkeep:record') };
    });
    expect(seen).toEqual({
      failures: [
        'store_unavailable: the record was written by a newer version of tokenkeep',
        'store_unavailable: the record was encrypted by a newer version of tokenkeep',
      ],
      after: { v: 2, value: 'newer', version: 'first' },
      session: '{"v":2,"value":"newer","version":"first"}',
    });
  });

  it('is let go for an upgrade, and its database is not touched [X26]', async () => {
    const other = await openTab(context, site.url);
    const value = { v: 1, value: 'value', version: 'first' };
    await tab.ports.evaluate(async (ports) => {
      const store = ports.indexedDbStore();
      Reflect.set(globalThis, 'store', store);
      await store.set('record', 'value', { expected: undefined, next: 'first' });
    });
    await other.page.evaluate(
      () =>
        new Promise<void>((resolve, reject) => {
          const request = indexedDB.open('tokenkeep', 2);
          request.onblocked = () => reject(new Error('blocked'));
          request.onupgradeneeded = () => request.result.createObjectStore('more');
          request.onsuccess = () => {
            request.result.close();
            resolve();
          };
        }),
    );
    const failures = await tab.ports.evaluate(async (ports) => {
      const store: import('tokenkeep').TokenStore = Reflect.get(globalThis, 'store');
      return [await ports.failure(store.get('record')), await ports.failure(store.set('record', 'old', { expected: 'first', next: 'second' }))];
    });
    expect(failures).toEqual(['store_unavailable: IndexedDB failed: VersionError', 'store_unavailable: IndexedDB failed: VersionError']);
    const after = await other.ports.evaluate(async (ports) => {
      const request = (await ports.raw('records')).get('record');
      await new Promise((resolve) => request.addEventListener('success', resolve));
      return request.result;
    });
    expect(after).toEqual(value);
  });
});

describe('webStorageStore()', () => {
  it('refuses localStorage, also that of another frame, unless refresh tokens do not rotate [X28]', async () => {
    const seen = await tab.ports.evaluate(async (ports) => {
      const frame = document.body.appendChild(document.createElement('iframe'));
      const ofFrame = frame.contentWindow?.localStorage;
      const make = async (storage: Storage | undefined, rotation?: 'none'): Promise<boolean | undefined> =>
        ports.webStorageStore(storage ?? sessionStorage, { rotation }).lock?.shared;
      return [
        await ports.failure(make(localStorage)),
        await ports.failure(make(ofFrame)),
        await ports.failure(make(sessionStorage)),
        await make(localStorage, 'none'),
        (await make(sessionStorage)) ?? false,
      ];
    });
    const refused = expect.stringMatching(/^invalid_option: option "storage": expected sessionStorage; tabs see localStorage too late/);
    expect(seen).toEqual([refused, refused, 'no failure', true, false]);
  });

  it('keeps what it holds from readers of sessionStorage when it is encrypted [S1]', async () => {
    const text = await tab.ports.evaluate(async (ports, value) => {
      await ports.encrypted(ports.webStorageStore(sessionStorage)).set('record', value, { expected: undefined, next: 'first' });
      return JSON.stringify(sessionStorage);
    }, canary);
    expect(text).toContain('tokenkeep:record');
    for (let at = 0; at + 8 <= canary.length; at++) expect(text).not.toContain(canary.slice(at, at + 8));
  });
});

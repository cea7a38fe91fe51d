import type { BrowserContext, Page } from 'playwright-core';

/**
 * From now on every page of this context remembers, as text, all that its code decrypts, what goes through its message ports and
 * channels, and what it sends and gets by fetch.
 */
export async function watchPages(context: BrowserContext): Promise<void> {
  await context.addInitScript(() => {
    const seen: string[] = [];
    Reflect.set(globalThis, 'seen', seen);
    const note = (value: unknown): void => void seen.push(typeof value === 'string' ? value : (JSON.stringify(value) ?? ''));

    const { decrypt, encrypt } = SubtleCrypto.prototype;
    SubtleCrypto.prototype.decrypt = async function (...given) {
      const opened = await decrypt.apply(this, given);
      note(new TextDecoder().decode(opened));
      return opened;
    };
    SubtleCrypto.prototype.encrypt = function (...given) {
      note(new TextDecoder().decode(given[2]));
      return encrypt.apply(this, given);
    };

    const { start } = MessagePort.prototype;
    MessagePort.prototype.start = function () {
      this.addEventListener('message', ({ data }) => note(data));
      start.call(this);
    };
    for (const { prototype } of [MessagePort, BroadcastChannel]) {
      const post = prototype.postMessage;
      prototype.postMessage = function (this: unknown, ...given: unknown[]) {
        note(given[0]);
        Reflect.apply(post, this, given);
      };
    }

    const { fetch } = globalThis;
    globalThis.fetch = async (input, init) => {
      const request = new Request(input, init);
      note(`${request.url} ${JSON.stringify([...request.headers])} ${await request.clone().text()}`);
      const response = await fetch(request);
      note(await response.clone().text());
      return response;
    };
  });
}

/** All of it so far, and what lies in IndexedDB in clear. */
export function seenBy(page: Page): Promise<string> {
  return page.evaluate(async () => {
    const stored: unknown[] = [];
    for (const { name } of await indexedDB.databases()) {
      const database = await result(indexedDB.open(name ?? ''));
      for (const store of database.objectStoreNames) stored.push(await result(database.transaction(store).objectStore(store).getAll()));
      database.close();
    }
    const seen: readonly string[] = Reflect.get(globalThis, 'seen');
    return [...seen, JSON.stringify(stored)].join('\n');

    function result<T>(request: IDBRequest<T>): Promise<T> {
      return new Promise((resolve, reject) => {
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error);
      });
    }
  });
}

/** All strings that the page's heap holds, in DevTools' own format; what could be freed is freed before. */
export async function heapOf(page: Page): Promise<string> {
  const devTools = await page.context().newCDPSession(page);
  const chunks: string[] = [];
  devTools.on('HeapProfiler.addHeapSnapshotChunk', ({ chunk }) => chunks.push(chunk));
  await devTools.send('HeapProfiler.collectGarbage');
  await devTools.send('HeapProfiler.takeHeapSnapshot', { reportProgress: false });
  await devTools.detach();
  return chunks.join('');
}

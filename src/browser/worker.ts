import { randomId } from '../core/random.js';
import { asTokenError } from '../manager/as-token-error.js';
import { encryptedStore } from '../storage/encrypted.js';
import { indexedDbStore } from '../storage/indexed-db.js';
import { indexedDbKeyStore } from '../storage/indexed-db-key-store.js';
import { webCryptoCipher } from '../storage/web-crypto-cipher.js';
import { eventData, failureData, type FromWorker, protocol, type ToWorker } from './worker-messages.js';
import { WorkerSession } from './worker-session.js';

const sessions = new Map<string, Promise<WorkerSession>>();

function serve(): void {
  const alive = `tokenkeep:alive:${randomId()}`;
  // Freed by the browser alone, when this worker ends: that is how pages learn of it.
  const held = new Promise<void>((resolve) => {
    navigator.locks.request(alive, () => {
      resolve();
      return new Promise(() => undefined);
    });
  });
  const keyStore = indexedDbKeyStore();
  const storage = { keyStore, store: encryptedStore(indexedDbStore(), webCryptoCipher({ keyStore })) };

  async function greet(port: MessagePort): Promise<void> {
    const [keys] = await Promise.all([readsKeys(), held]);
    tell(port, { type: 'hello', protocol, alive, keys });
  }

  async function perform(port: MessagePort, { id, session, order }: ToWorker): Promise<void> {
    tell(port, { type: 'heard', id });
    if (order.do === 'beat') return;
    try {
      for (;;) {
        const opening = sessions.get(session) ?? WorkerSession.open(JSON.parse(session), storage, () => void forgetEnded(session));
        sessions.set(session, opening);
        const opened = await opening;
        // It may have been forgotten in between.
        if (sessions.get(session) !== opening) continue;
        const result = await opened.perform(order, (event) => tell(port, { type: 'event', id, event: eventData(event) }));
        return tell(port, { type: 'done', id, result });
      }
    } catch (error) {
      tell(port, { type: 'failed', id, error: failureData(asTokenError(error)) });
    } finally {
      await forgetEnded(session);
    }
  }

  // In the first turn: a connection that comes before somebody listens is gone.
  globalThis.addEventListener('connect', (event) => {
    if (!(event instanceof MessageEvent)) return;
    const [port] = event.ports;
    if (port === undefined) return;
    port.addEventListener('message', ({ data }) => void perform(port, data));
    port.start();
    greet(port).catch(() => undefined);
  });
}

// After a sign-out nothing of it stays in this memory, which may outlive all pages by minutes.
async function forgetEnded(session: string): Promise<void> {
  const opened = await sessions.get(session)?.catch(() => undefined);
  if (opened?.isOver === false) return;
  sessions.delete(session);
  await opened?.end();
}

// Shared workers of WebKit can make keys and use them, but not keep or read them.
async function readsKeys(): Promise<boolean> {
  try {
    const key = await crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, ['encrypt']);
    return Boolean(structuredClone(key));
  } catch {
    return false;
  }
}

function tell(port: MessagePort, message: FromWorker): void {
  port.postMessage(message);
}

// Elsewhere the file does nothing, so that tools may load it.
if ('onconnect' in globalThis) serve();

import { type AccessToken, type GetTokenOptions, isTokenError, memoryStore } from 'tokenkeep';
import { createSession, type Session, type SessionOptions, type SessionSnapshot } from 'tokenkeep/browser';
import { encryptedStore } from 'tokenkeep/storage/encrypted';
import { indexedDbKeyStore } from 'tokenkeep/storage/indexed-db';
import { webCryptoCipher } from 'tokenkeep/storage/web-crypto-cipher';
import { webStorageStore } from 'tokenkeep/storage/web-storage';

/** What the tests find in the page. */
export interface App {
  readonly session: Session;
  readonly createSession: typeof createSession;
  readonly options: SessionOptions;
  /** What `start()` came to. */
  readonly started: Promise<string>;
  /** Asks for a token, and tells how that went. */
  token(options?: GetTokenOptions): Promise<string>;
  /** The status that the app's API answers with. */
  call(): Promise<number>;
  /** `fine`, or the code of the failure. */
  outcome(task: Promise<unknown>): Promise<string>;
  readonly states: SessionSnapshot[];
}

const { store, ...config } = JSON.parse(document.querySelector('meta[name=config]')?.getAttribute('content') ?? '{}');
const stores = new Map([
  ['memory', () => memoryStore()],
  ['sessionStorage', () => webStorageStore(sessionStorage)],
  ['localStorage', () => encryptedStore(webStorageStore(localStorage, { rotation: 'none' }), webCryptoCipher({ keyStore: indexedDbKeyStore() }))],
]);
const options: SessionOptions = { ...config, store: stores.get(store)?.() };
const session = createSession(options);
const states: SessionSnapshot[] = [];
session.subscribe(() => states.push(session.snapshot()));

const outcome = (task: Promise<unknown>): Promise<string> =>
  task.then(
    () => 'fine',
    (error: unknown) => (isTokenError(error) ? error.code : String(error)),
  );
const http = session.http({ prefix: new URL('/api/', location.href).href, retry: 0, throwHttpErrors: false });

export const app: App = {
  session,
  createSession,
  options,
  started: outcome(new URLSearchParams(location.search).has('wait') ? Promise.resolve() : session.start()),
  token: (wanted) =>
    session.getToken(wanted).then(
      ({ value }: AccessToken) => value,
      (error: unknown) => (isTokenError(error) ? error.code : String(error)),
    ),
  call: async () => (await http.get('orders')).status,
  outcome,
  states,
};
Reflect.set(globalThis, 'app', app);

import { StrictMode, useEffect } from 'react';
import { createRoot, hydrateRoot } from 'react-dom/client';
import { renderToString } from 'react-dom/server';
import { createSession, type Session, type SessionOptions } from 'tokenkeep/browser';
import { useSession } from 'tokenkeep/react';

/** What the tests find in the page. */
export interface ReactApp {
  readonly session: Session;
  /** Of the sessions that were made so far: who still listens to them. */
  readonly listening: number[];
  /** How often effects started a session; StrictMode runs each twice. */
  readonly starts: number;
  /** What the component showed, whenever that changed. */
  readonly shown: string[];
  /** What failed starts said. */
  readonly failures: string[];
  /** The module is replaced: its session is disposed, and another is made. */
  hotReload(): Promise<void>;
  unmount(): void;
  /** Renders as a server does, and takes its HTML over in a browser where the session is restored already. */
  hydrate(): Promise<{ readonly html: string; readonly hydrated: string; readonly complaints: string[] }>;
}

const options: SessionOptions = JSON.parse(document.querySelector('meta[name=config]')?.getAttribute('content') ?? '{}');
const listening: number[] = [];
const shown: string[] = [];
const failures: string[] = [];
let starts = 0;

function make(): Session {
  const session = createSession(options);
  const index = listening.push(0) - 1;
  return {
    ...session,
    get user() {
      return session.user;
    },
    subscribe(listener) {
      const undo = session.subscribe(listener);
      listening[index] = (listening[index] ?? 0) + 1;
      return () => {
        listening[index] = (listening[index] ?? 0) - 1;
        undo();
      };
    },
  };
}

function Account({ session }: { readonly session: Session }) {
  const { state, user } = useSession(session);
  const text = state === 'signed_in' ? `Hello ${user?.sub}` : state;
  useEffect(() => {
    starts++;
    session.start().catch((error: unknown) => failures.push(String(error)));
  }, [session]);
  useEffect(() => {
    if (shown.at(-1) !== text) shown.push(text);
  }, [text]);
  return (
    <button type="button" onClick={() => void session.signIn({ returnTo: '/' })}>
      {text}
    </button>
  );
}

const place = document.createElement('main');
document.body.append(place);
const root = createRoot(place);
const render = (of: Session): void =>
  root.render(
    <StrictMode>
      <Account session={of} />
    </StrictMode>,
  );

let session = make();
render(session);

const app: ReactApp = {
  get session() {
    return session;
  },
  listening,
  get starts() {
    return starts;
  },
  shown,
  failures,
  async hotReload() {
    const before = session;
    session = make();
    render(session);
    await before.dispose();
  },
  unmount: () => root.unmount(),
  async hydrate() {
    const complaints: string[] = [];
    const element = document.createElement('div');
    document.body.append(element);
    element.innerHTML = renderToString(<Account session={session} />);
    const html = element.textContent ?? '';
    const onRecoverableError = (error: unknown): void => void complaints.push(String(error));
    const hydrated = hydrateRoot(element, <Account session={session} />, { onRecoverableError });
    await new Promise<void>((resolve) => {
      new MutationObserver(() => resolve()).observe(element, { subtree: true, childList: true, characterData: true });
    });
    const text = element.textContent ?? '';
    hydrated.unmount();
    return { html, hydrated: text, complaints };
  },
};
Reflect.set(globalThis, 'app', app);

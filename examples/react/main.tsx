// A page that signs its user in, calls an API, and stays signed in: over reloads, tabs and renewals.
import { StrictMode, useState } from 'react';
import { createRoot } from 'react-dom/client';
import { useSession } from 'tokenkeep/react';
import { api, here, session } from './session.ts';

function App({ failure }: { readonly failure: string }) {
  const { state, user } = useSession(session); // renders again when another tab signs in or out, too
  return (
    <>
      <h1>Orders, with React</h1>
      {state === 'restoring' && <p role="status">One moment …</p>}
      {state === 'signed_out' && <SignedOut failure={failure} />}
      {state === 'signed_in' && <SignedIn key={user?.sub} name={user?.sub ?? ''} />}
    </>
  );
}

function SignedOut({ failure }: { readonly failure: string }) {
  const [text, setText] = useState(failure);
  return (
    <>
      <p role="status">You are not signed in.</p>
      <p>
        <button type="button" className="first" onClick={() => session.signIn().catch((error: unknown) => setText(String(error)))}>
          Sign in
        </button>
      </p>
      <pre>{text}</pre>
    </>
  );
}

function SignedIn({ name }: { readonly name: string }) {
  const [text, setText] = useState('');
  const attempt = (action: () => Promise<unknown>) => () => action().catch((error: unknown) => setText(String(error)));
  const call = attempt(async () => setText(JSON.stringify(await api.get('orders').json(), undefined, 2)));
  return (
    <>
      <p role="status">Hello, {name}.</p>
      <p>
        <button type="button" className="first" onClick={call}>
          Call the API
        </button>
        <button type="button" onClick={() => window.open(here, '_blank', 'noopener')}>
          Open a second tab
        </button>
        <button type="button" onClick={attempt(() => session.signOut({ provider: true, returnTo: here }))}>
          Sign out everywhere
        </button>
      </p>
      <pre aria-live="polite">{text}</pre>
    </>
  );
}

const root = createRoot(document.getElementById('root') ?? document.body);
const render = (failure: string): void =>
  root.render(
    <StrictMode>
      <App key={failure} failure={failure} />
    </StrictMode>,
  );

render('');
session.start().catch((error: unknown) => render(String(error))); // finishes a sign-in, or finds the user of last time

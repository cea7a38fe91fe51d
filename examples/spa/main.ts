// A page that signs its user in, calls an API, and stays signed in: over reloads, tabs and renewals.
import { createSession } from 'tokenkeep/browser';

const here = new URL('./', location.href).href;

export const session = createSession({
  issuer: ISSUER,
  clientId: 'orders-app',
  redirectUri: here,
  scope: 'openid orders:read',
  resource: 'https://orders.example',
  preset: { idTokenAlgorithms: ['ES256'] }, // how this server signs; RS256 needs no mention
});

// Tokens are attached to calls of this API, and renewed in time; the rest of the page does not think about them.
export const api = session.http({ prefix: API_URL });

function show(): void {
  const { state, user } = session.snapshot(); // 'restoring', 'signed_in' or 'signed_out'
  document.body.dataset['state'] = state; // style.css shows the buttons of this state
  find('who').textContent = state === 'signed_in' ? `Hello, ${user?.sub}.` : state === 'restoring' ? 'One moment …' : 'You are not signed in.';
  if (state !== 'signed_in') find('answer').textContent = '';
}

function find(id: string): HTMLElement {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`The page has no #${id}`);
  return element;
}

/** What a button does. What goes wrong is said on the page. */
function onClick(id: string, action: () => Promise<unknown>): void {
  find(id).addEventListener('click', () => action().catch(tell));
}

function tell(error: unknown): void {
  find('answer').textContent = String(error);
}

onClick('sign-in', () => session.signIn());
onClick('call', async () => {
  find('answer').textContent = JSON.stringify(await api.get('orders').json(), undefined, 2);
});
onClick('tab', async () => window.open(here, '_blank', 'noopener'));
onClick('sign-out', () => session.signOut({ provider: true, returnTo: here })); // in all tabs, and at the server

session.subscribe(show); // also when another tab signs in or out
session.start().then(show, tell); // finishes a sign-in, or finds the user of last time

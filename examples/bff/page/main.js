// All of the page's code. It has no token, and asks its own backend alone.

/** @param {string} id */
function find(id) {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`The page has no #${id}`);
  return element;
}

/**
 * @param {string} path
 * @param {RequestInit} [init]
 */
async function ask(path, init) {
  // The header says that this page asks: no other site's can set it.
  const response = await fetch(path, { ...init, headers: { 'x-orders-page': '1', 'content-type': 'application/json' } });
  const content = response.status === 204 ? {} : await response.json();
  if (response.ok) return content;
  if (response.status !== 401) throw new Error(`That did not work (${content.error}).`);
  show({ signIn: content.signIn });
  throw new Error('Your session has ended.');
}

/** @param {{ user?: string, signIn?: string }} session */
function show({ user, signIn = '/sign-in' }) {
  document.body.dataset['state'] = user === undefined ? 'signed_out' : 'signed_in'; // style.css shows what belongs to it
  find('who').textContent = user === undefined ? 'You are not signed in.' : `Hello, ${user}.`;
  find('sign-in').setAttribute('href', `${signIn}?${new URLSearchParams({ returnTo: location.pathname })}`);
}

/**
 * What a button does. What goes wrong is said on the page.
 * @param {string} id
 * @param {() => Promise<string>} action
 */
function onClick(id, action) {
  find(id).addEventListener('click', () => action().then(tell, (error) => tell(error.message)));
}

/** @param {string} text */
function tell(text) {
  find('answer').textContent = text;
}

onClick('list', async () => JSON.stringify(await ask('/api/orders'), undefined, 2));
onClick('place', async () => JSON.stringify(await ask('/api/orders', { method: 'POST', body: '{"amount":1}' }), undefined, 2));
onClick('sign-out', async () => {
  await ask('/sign-out', { method: 'POST' });
  show({});
  return '';
});

if (new URL(location.href).searchParams.has('problem')) {
  tell('That sign-in did not work. Please try again.');
  history.replaceState(undefined, '', '/');
}
ask('/session').then(show, () => tell('The server does not answer.'));

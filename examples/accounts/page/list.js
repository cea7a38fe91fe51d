// Shows the list, and presses what the server offers.

/** @typedef {{ readonly accountId: string, readonly state: string, readonly reason?: string }} Account */

const words = new Map([
  ['not_connected', 'not connected'],
  ['healthy', 'healthy'],
  ['renewing', 'renewing'],
  ['needs_reconnect', 'needs a reconnect'],
]);

/** @type {readonly (readonly [action: string, label: string])[]} */
const buttons = [
  ['renew', 'Renew its token'],
  ['kill', 'Kill a process in mid-refresh'],
  ['end-grant', 'End the grant at the server'],
  ['disconnect', 'Disconnect'],
];

/** @param {string} id */
function find(id) {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`The page has no #${id}`);
  return element;
}

/** @param {string} text */
function tell(text) {
  find('problem').textContent = text;
}

/**
 * @param {string} action
 * @param {string} customer
 */
async function press(action, customer) {
  tell(action === 'kill' ? `A process renews the token of ${customer} …` : '');
  const response = await fetch(`/${action}?${new URLSearchParams({ customer })}`, { method: 'POST' });
  const problem = await response.text();
  tell(problem === '' ? `${customer}: done.` : `${customer}: ${problem}`);
  await show();
}

/** @param {Account} account */
function row({ accountId, state, reason }) {
  const item = document.createElement('li');
  const name = Object.assign(document.createElement('strong'), { textContent: accountId });
  const status = Object.assign(document.createElement('span'), {
    className: state,
    textContent: `${words.get(state) ?? state}${reason ? ` (${reason})` : ''}`,
  });
  const actions = document.createElement('p');
  /** @param {string} label @param {Record<string, string>} query */
  const link = (label, query) =>
    actions.append(Object.assign(document.createElement('a'), { textContent: label, href: `/connect?${new URLSearchParams(query)}` }));
  if (state === 'not_connected') link('Connect', { customer: accountId });
  else {
    for (const [action, label] of buttons) {
      const button = Object.assign(document.createElement('button'), { type: 'button', textContent: label });
      button.addEventListener('click', () => press(action, accountId).catch(() => tell('The program does not answer.')));
      actions.append(button);
    }
    link('Connect again', { customer: accountId });
    link('Connect as mallory', { customer: accountId, user: 'mallory' });
  }
  item.append(name, status, actions);
  return item;
}

let shown = '';

async function show() {
  const response = await fetch('/accounts');
  const text = await response.text();
  // What is unchanged stays: a focus, too.
  if (text === shown) return;
  shown = text;
  /** @type {readonly Account[]} */
  const accounts = JSON.parse(text);
  find('accounts').replaceChildren(...accounts.map(row));
}

const problem = new URL(location.href).searchParams.get('problem');
if (problem !== null && /^\w+$/.test(problem)) tell(`That account was not connected: ${problem}.`);
history.replaceState(undefined, '', '/');
await show();
setInterval(() => void show().catch(() => tell('The program does not answer. Is it still running?')), 500);

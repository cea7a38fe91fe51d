// Shows what the demo tells, and presses its buttons. Everything comes over one stream of server-sent events.
import { createJournal, createStory } from './log.js';
import { createTimeline, find } from './timeline.js';

/**
 * @typedef {import('../page-messages.ts').Message} Message
 * @typedef {import('../page-messages.ts').State} State
 */

const calmMs = 1_000;
const newsPauseMs = 1_500;

/** @param {string} id */
const byId = (id) => find(document.body, `#${id}`);

const timeline = createTimeline(byId('timeline'));
const tellStory = createStory(byId('story'));
const tellJournal = createJournal(byId('journal'));
const buttons = [...document.querySelectorAll('button')];
/** @type {Map<HTMLElement, string>} */
const labels = new Map(buttons.map((button) => [button, button.textContent ?? '']));
const lessMotion = matchMedia('(prefers-reduced-motion: reduce)');

/** By how much the demo's clock is ahead of the page's; the quickest message knows best. */
let aheadMs = -Infinity;
let isFirst = true;

const events = new EventSource('events');
events.addEventListener('open', () => {
  aheadMs = -Infinity;
  isFirst = true;
  byId('lost').hidden = true;
});
events.addEventListener('error', () => {
  byId('lost').hidden = false;
});
events.addEventListener('message', ({ data }) => {
  /** @type {Message} */
  const { state, facts, journal } = JSON.parse(data);
  aheadMs = Math.max(aheadMs, state.now - performance.now());
  for (const fact of facts) {
    timeline.set(fact);
    if (fact.kind !== 'line') continue;
    tellStory(fact);
    if (fact.isNews && !isFirst) announce(fact.id, fact.title);
  }
  if (isFirst) byId('journal').replaceChildren();
  tellJournal(journal);
  show(state);
  isFirst = false;
});

/** @param {State} state */
function show(state) {
  find(document.body, '.now').dataset['tone'] = state.tone;
  write('sentence', state.sentence);
  write('answered', state.answered.toLocaleString('en'));
  write('again', state.sentAgain > 0 ? `, ${state.sentAgain} sent again after a 401` : '');
  write('failed', state.failed.toLocaleString('en'));
  byId('failed').classList.toggle('bad', state.failed > 0);
  write('waited', state.waited.toLocaleString('en'));
  write('longest', state.waited > 0 ? `, ${(state.longestWaitMs / 1000).toFixed(2)} s at most` : '');
  write('requests', state.tokenRequests.toLocaleString('en'));
  write('offset', state.clockOffsetMs === 0 ? 'right' : `${Math.abs(state.clockOffsetMs) / 3_600_000} h ${state.clockOffsetMs > 0 ? 'fast' : 'slow'}`);
  turn('stop', state.isStopped);
  turn('slow', state.isSlow);
}

/**
 * Changes only what changed.
 * @param {string} id
 * @param {string} text
 */
function write(id, text) {
  const element = byId(id);
  if (element.textContent !== text) element.textContent = text;
}

/**
 * A button that undoes what it did says so.
 * @param {string} id
 * @param {boolean} isOn
 */
function turn(id, isOn) {
  const button = byId(id);
  button.classList.toggle('on', isOn);
  write(id, isOn ? (button.dataset['backLabel'] ?? '') : (labels.get(button) ?? ''));
}

for (const button of buttons) {
  button.addEventListener('click', async () => {
    const { trouble, back } = button.dataset;
    const name = button.classList.contains('on') ? back : trouble;
    button.setAttribute('aria-busy', 'true');
    await fetch(`trouble/${name}`, { method: 'POST' }).catch(() => {
      byId('lost').hidden = false;
    });
    button.removeAttribute('aria-busy');
  });
}

/** What is out of the ordinary is said, once, and not faster than it can be heard. @type {Map<string, string>} */
const news = new Map();
const told = new Set();
/**
 * @param {string} id
 * @param {string} title
 */
function announce(id, title) {
  if (told.has(id)) return;
  told.add(id);
  if (news.size === 0) setTimeout(tellNews, newsPauseMs);
  news.set(id, title);
}

function tellNews() {
  byId('news').textContent = `${[...news.values()].join('. ')}.`;
  news.clear();
}

let lastDrawn = -Infinity;
/** @param {number} at */
function draw(at) {
  requestAnimationFrame(draw);
  if (aheadMs === -Infinity || (lessMotion.matches && at - lastDrawn < calmMs)) return;
  lastDrawn = at;
  timeline.draw(performance.now() + aheadMs);
}
requestAnimationFrame(draw);

// The app of examples/spa, with the life of its tokens around it.
import { api, session } from '../../spa/main.ts';
import type { TokenRequest } from '../user-server.ts';
import { createJournal, createStory } from '../page/log.js';
import { createTimeline, find } from '../page/timeline.js';
import { SessionStory } from './facts.ts';

const byId = (id: string): HTMLElement => find(document.body, `#${id}`);
const callEveryMs = 250;
const lookEveryMs = 200;
const askEveryMs = 400;
const calmMs = 1_000;

const story = new SessionStory(session);
const timeline = createTimeline(byId('timeline'), 4);
const tellStory = createStory(byId('story'));
const tellJournal = createJournal(byId('journal'));
const lessMotion = matchMedia('(prefers-reduced-motion: reduce)');

/** Calls all the time, while somebody is signed in and looks. */
async function call(): Promise<void> {
  if (session.snapshot().state !== 'signed_in' || document.hidden) return;
  try {
    await api.get('orders').json();
    story.calls.answers();
    story.served();
  } catch (error) {
    // Who signs out meanwhile has no failed call.
    if (session.snapshot().state === 'signed_in') story.failed(error);
  }
}

let revision = 0;
function look(): void {
  tellJournal(story.look());
  for (const fact of story.history.since(revision)) {
    timeline.set(fact);
    if (fact.kind !== 'line') continue;
    tellStory(fact);
    if (fact.isNews) byId('news').textContent = `${fact.title}.`;
  }
  revision = story.history.revision;
  const { tone, sentence } = story.mood;
  find(document.body, '.now').dataset['tone'] = tone;
  write('sentence', sentence);
  write('answered', story.calls.answered.toLocaleString('en'));
  write('failed', story.calls.failed.toLocaleString('en'));
  byId('failed').classList.toggle('bad', story.calls.failed > 0);
  write('adopted', story.adopted.toLocaleString('en'));
}

/** Changes only what changed. */
function write(id: string, text: string): void {
  const element = byId(id);
  if (element.textContent !== text) element.textContent = text;
}

/** The server's own count: the requests of all tabs. */
async function ask(): Promise<void> {
  if (document.hidden) return;
  try {
    const requests: readonly TokenRequest[] = await (await fetch('/token-requests')).json();
    story.requested(requests);
    write('requests', (requests.at(-1)?.id ?? 0).toLocaleString('en'));
    byId('lost').hidden = true;
  } catch {
    byId('lost').hidden = false;
  }
}

/** Never two at once: a browser has six connections to a server for all tabs. */
async function repeat(task: () => Promise<void>, everyMs: number): Promise<void> {
  await task();
  setTimeout(repeat, everyMs, task, everyMs);
}

let lastDrawn = -Infinity;
function draw(at: number): void {
  requestAnimationFrame(draw);
  if (lessMotion.matches && at - lastDrawn < calmMs) return;
  lastDrawn = at;
  timeline.draw(story.history.now);
}

const deeds = { call: 'called', tab: 'second tab', 'sign-out': 'sign out', 'sign-in': 'sign in' };
for (const [id, label] of Object.entries(deeds)) byId(id).addEventListener('click', () => story.did(label));

session.subscribe(look);
setInterval(look, lookEveryMs);
repeat(call, callEveryMs);
repeat(ask, askEveryMs);
look();
requestAnimationFrame(draw);

import type { State } from './page-messages.ts';
import type { ServiceClock } from './service-clock.ts';
import type { Story } from './story.ts';
import type { Trouble } from './trouble.ts';

/** Everything at a glance, in words and numbers. */
export function stateOf(story: Story, trouble: Trouble, clock: ServiceClock): State {
  const { calls, history, tokenRequests } = story;
  const { answered, failed, sentAgain, waited, longestWaitMs } = calls;
  const { isStopped, isSlow } = trouble;
  const numbers = { answered, failed, sentAgain, waited, longestWaitMs: Math.round(longestWaitMs), tokenRequests };
  return { now: history.now, ...mood(story, isStopped), ...numbers, isStopped, isSlow, clockOffsetMs: clock.offsetMs };
}

function mood(story: Story, isStopped: boolean): Pick<State, 'tone' | 'sentence'> {
  const { token, tokens, history } = story;
  const status = tokens?.snapshot().status;
  if (token === undefined) return { tone: 'good', sentence: 'The service starts: its first calls wait for a token.' };
  if (story.hasOutage) {
    const hope = isStopped ? 'They will work again soon after you start the authorization server.' : 'They work again with the next token.';
    return { tone: 'bad', sentence: `There is no usable token, so calls fail and say why. ${hope}` };
  }
  const left = inSeconds(token.goodUntil - history.now);
  const name = `Token #${token.number}`;
  if (token.refusedAt !== undefined) return { tone: 'trouble', sentence: `The API refuses ${name.toLowerCase()}. One request replaces it; the calls concerned wait.` };
  if (tokens?.peek() === undefined) return { tone: 'trouble', sentence: 'The next token is being fetched, and calls wait for it.' };
  if (token.servedOnFrom !== undefined) return { tone: 'trouble', sentence: `No renewal succeeds, and no call notices: ${name.toLowerCase()} is good for ${left} more.` };
  if (isStopped) return { tone: 'trouble', sentence: `The authorization server is down, and no call notices: ${name.toLowerCase()} is good for ${left} more.` };
  if (status === 'renewing') return { tone: 'good', sentence: `${name} is served while its successor is fetched behind the callers.` };
  return { tone: 'good', sentence: `${name} is in use. In ${inSeconds(token.renewFrom - history.now)} it is renewed behind the callers.` };
}

function inSeconds(ms: number): string {
  return `${Math.max(1, Math.ceil(ms / 1000))} s`;
}

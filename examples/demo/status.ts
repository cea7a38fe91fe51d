import type { State } from './page-messages.ts';
import type { ServiceClock } from './service-clock.ts';
import type { Story } from './story.ts';
import type { Trouble } from './trouble.ts';

/** Everything at a glance, in words and numbers. */
export function stateOf(story: Story, troubles: Trouble, clock: ServiceClock): State {
  const { calls, history, tokenRequests } = story;
  const { answered, failed, sentAgain, waited, longestWaitMs } = calls;
  const { isStopped, isSlow } = troubles;
  const numbers = { answered, failed, sentAgain, waited, longestWaitMs: Math.round(longestWaitMs), tokenRequests };
  return { now: history.now, ...mood(story, isStopped), ...numbers, isStopped, isSlow, clockOffsetMs: clock.offsetMs };
}

function mood({ token, tokens, history, hasOutage }: Story, isStopped: boolean): Pick<State, 'tone' | 'sentence'> {
  if (token === undefined) return good('The service starts: its first calls wait for a token.');
  if (hasOutage) {
    const hope = isStopped ? 'They will work again soon after you start the authorization server.' : 'They work again with the next token.';
    return { tone: 'bad', sentence: `There is no usable token, so calls fail and say why. ${hope}` };
  }
  const name = `token #${token.number}`;
  const left = inSeconds(token.goodUntil - history.now);
  if (token.refusedAt !== undefined) return trouble(`The API refuses ${name}. One request replaces it; the calls concerned wait.`);
  if (tokens?.peek() === undefined) return trouble('The next token is being fetched, and calls wait for it.');
  if (token.servedOnFrom !== undefined) return trouble(`No renewal succeeds, and no call notices: ${name} is good for ${left} more.`);
  if (isStopped) return trouble(`The authorization server is down, and no call notices: ${name} is good for ${left} more.`);
  if (tokens.snapshot().status === 'renewing') return good(`The successor of ${name} is being fetched behind the callers, who are served on.`);
  return good(`All calls are served by ${name}. In ${inSeconds(token.renewFrom - history.now)} it is renewed behind the callers.`);
}

const good = (sentence: string): Pick<State, 'tone' | 'sentence'> => ({ tone: 'good', sentence });
const trouble = (sentence: string): Pick<State, 'tone' | 'sentence'> => ({ tone: 'trouble', sentence });

function inSeconds(ms: number): string {
  return `${Math.max(1, Math.ceil(ms / 1000))} s`;
}

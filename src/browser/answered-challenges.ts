import { TokenError } from '../core/errors.js';
import { ageMs, type Instant, instant } from '../core/instant.js';
import type { ResourceChallenge } from '../http/read-refusal.js';
import type { AppState } from './app-state.js';
import type { SignInTools } from './sign-in-tools.js';

const restMs = 30_000;
const mostInARow = 10;

// Of this page, whichever of its session objects asks.
const answered = new Map<string, Instant>();

/**
 * The challenges that a sign-in for this one follows, itself the last. One that a sign-in has answered within the last half
 * minute is not met by another: an API that always asks for more, or a server that never grants it, would send the user to and fro.
 * @throws {TokenError} `request_rejected`
 */
export function followedChallenges(challenge: ResourceChallenge, { tag, setup }: SignInTools): readonly string[] {
  const { error, scopes, acrValues, maxAgeMs, claims } = challenge;
  const asked = tag + JSON.stringify([error, scopes, acrValues, maxAgeMs, claims]);
  for (const [each, at] of answered) if (ageMs(at, setup.clock) >= restMs) answered.delete(each);
  const before = [...answered.keys()].filter((each) => each.startsWith(tag));
  if (answered.has(asked) || before.length >= mostInARow)
    throw new TokenError('request_rejected', 'a sign-in has just asked the server for what the API asks for', { phase: 'authorization' });
  return [...before, asked];
}

/** The server has answered a sign-in for these, with whatever result. */
export function noteAnswered({ challenges }: AppState, { setup }: SignInTools): void {
  for (const each of challenges) answered.set(each, instant(setup.clock));
}

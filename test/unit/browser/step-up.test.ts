import { describe, expect, it } from 'vitest';
import type { Session, SessionOptions } from '../../../src/browser/session.js';
import type { ResourceChallenge } from '../../../src/http/read-refusal.js';
import { outcome, signInSite } from './sign-in-site.js';

const challenge = (asked: Partial<ResourceChallenge> = {}): ResourceChallenge => ({
  error: 'insufficient_user_authentication',
  status: 401,
  origin: 'https://api.test',
  scopes: ['openid', 'api:read'],
  acrValues: ['gold'],
  maxAgeMs: undefined,
  claims: undefined,
  challenge: { scheme: 'bearer', params: {} },
  ...asked,
});

let sites = 0;

/** A site whose sessions no other test knows: what a page remembers of challenges is the page's, and that is this file. */
function setUp() {
  const site = signInSite();
  const name = `step-up-${sites++}`;

  /** What becomes of a sign-in for a challenge: the page that the user is back on, or the code of the failure. */
  async function steppedUp(session: Session, asked: ResourceChallenge, of: Partial<SessionOptions> = { name }): Promise<Session | string> {
    const callback = await site.callback(session, { challenge: asked }).then(
      (url) => url,
      (error: unknown) => outcome(Promise.reject(error)),
    );
    if (!callback.startsWith('https:')) return callback;
    site.load(callback);
    const back = site.session(of);
    await back.start().catch(() => undefined);
    return back;
  }

  return {
    site,
    steppedUp,
    signIn: () => site.signIn({}, { name }),
    sent: () => site.as.requestsTo('authorization').length,
    /** Steps up for one after the other, up to the first failure. */
    async bounced(session: Session, ...asked: readonly ResourceChallenge[]): Promise<string> {
      let page = session;
      for (const each of asked) {
        const next = await steppedUp(page, each);
        if (typeof next === 'string') return next;
        page = next;
      }
      return 'fine';
    },
  };
}

describe('signIn({ challenge })', () => {
  it('sends nobody to and fro for an API that always asks for the same [H16]', async () => {
    const { signIn, bounced, sent } = setUp();
    const page = await signIn();
    const before = sent();
    expect(await bounced(page, ...Array(5).fill(challenge()))).toBe('request_rejected');
    expect(sent()).toBe(before + 1);
  });

  it.each([
    ['scopes', challenge({ acrValues: [], error: 'insufficient_scope', scopes: ['openid', 'api:read', 'api:write'] })],
    ['an age', challenge({ acrValues: [], maxAgeMs: 0 })],
    ['claims', challenge({ acrValues: [], claims: '{"access_token":{"acrs":{"value":"c1"}}}', error: 'insufficient_claims' })],
  ])('nor for two that take turns with %s, nor where the server refuses [H15] [H16]', async (_what, other) => {
    const { site, signIn, bounced } = setUp();
    expect(await bounced(await signIn(), challenge(), other, challenge())).toBe('request_rejected');
    await site.clock.advance(30_000);
    const page = await signIn();
    site.as.set({ authorizationError: 'unmet_authentication_requirements' });
    expect(await bounced(page, other, other)).toBe('request_rejected');
  });

  it('nor for one that asks for something else each time [H15]', async () => {
    const { signIn, bounced, sent } = setUp();
    const page = await signIn();
    const before = sent();
    const each = Array.from({ length: 20 }, (_, index) => challenge({ claims: `{"nbf":${index}}` }));
    expect(await bounced(page, ...each)).toBe('request_rejected');
    expect(sent()).toBe(before + 10);
  });

  it('goes once more after half a minute, and for another session of the page at once [H16]', async () => {
    const { site, signIn, bounced, steppedUp } = setUp();
    const page = await signIn();
    expect(await bounced(page, challenge())).toBe('fine');
    const other = { name: `${sites}-another` };
    expect(typeof (await steppedUp(site.session(other), challenge(), other))).toBe('object');
    await site.clock.advance(29_999);
    expect(await bounced(page, challenge())).toBe('request_rejected');
    await site.clock.advance(1);
    expect(await bounced(page, challenge())).toBe('fine');
  });
});

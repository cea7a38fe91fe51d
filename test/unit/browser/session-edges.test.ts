import type { TokenStore } from 'tokenkeep';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { origin, outcome, signInSite } from './sign-in-site.js';

describe('a session that was disposed', () => {
  it('signs in nowhere and starts nothing: the page stays where it is [rule 13]', async () => {
    const site = signInSite();
    for (const isLoaded of [true, false]) {
      const session = site.session();
      if (isLoaded) await session.start();
      await session.dispose();
      const left = site.leave(session).then(
        () => 'left',
        (error: unknown) => outcome(Promise.reject(error)),
      );
      expect(await left).toBe('disposed');
      if (!isLoaded) expect(await outcome(session.start())).toBe('disposed');
      expect(await outcome(session.signOut())).toBe('disposed');
    }
  });

  it('shows no stored token either, although its other code has never come', async () => {
    const site = signInSite();
    await (await site.signIn()).dispose();
    const session = site.session();
    await session.start();
    expect(session.peek()).toBeDefined();
    await session.dispose();
    expect(session.peek()).toBeUndefined();
  });

  it('has let go of everything when dispose() resolves, also where its code was being opened [rule 13]', async () => {
    const site = signInSite();
    const asked = Promise.withResolvers<void>();
    const answer = Promise.withResolvers<undefined>();
    let reads = 0;
    const get: TokenStore['get'] = (key) => {
      reads++;
      if (reads === 1) return site.store.get(key);
      asked.resolve();
      return answer.promise;
    };
    const session = site.session({ store: { ...site.store, get } });
    await session.start();
    await asked.promise;
    let isOver = false;
    const gone = session.dispose().then(() => {
      isOver = true;
    });
    for (let turn = 0; turn < 100; turn++) await Promise.resolve();
    expect(isOver).toBe(false);
    answer.resolve(undefined);
    await gone;
    expect(session.snapshot().status).toBe('disposed');
  });

  it('leaves the page no more where that happened while its sign-in was written down', async () => {
    const site = signInSite();
    const assigned = vi.spyOn(location, 'assign');
    const session = site.session();
    vi.stubGlobal('sessionStorage', { getItem: () => null, setItem: () => void session.dispose(), removeItem: () => undefined });
    expect(await outcome(session.signIn())).toBe('disposed');
    expect(assigned).not.toHaveBeenCalled();
  });
});

it('leaves no listener behind when the user comes back from the server without having signed in, however often [X11]', async () => {
  const site = signInSite();
  const page = new EventTarget();
  let listening = 0;
  vi.stubGlobal('addEventListener', (...given: Parameters<EventTarget['addEventListener']>) => {
    listening++;
    page.addEventListener(...given);
  });
  vi.stubGlobal('removeEventListener', (...given: Parameters<EventTarget['removeEventListener']>) => {
    listening--;
    page.removeEventListener(...given);
  });
  const session = site.session();
  await session.start();
  expect(await outcome(session.signIn({ scope: '"' }))).toBe('invalid_option');
  const before = listening;
  for (let times = 0; times < 3; times++) {
    const left = Promise.withResolvers<void>();
    vi.spyOn(location, 'assign').mockImplementation(() => left.resolve());
    const back = outcome(session.signIn());
    await left.promise;
    page.dispatchEvent(Object.assign(new Event('pageshow'), { persisted: false }));
    page.dispatchEvent(Object.assign(new Event('pageshow'), { persisted: true }));
    expect(await back).toBe('fine');
  }
  expect(listening).toBe(before);
});

it('does not send the user away whose key would be gone when they come back [H22, X25]', async () => {
  const site = signInSite();
  vi.stubGlobal('navigator', {});
  const assigned = vi.spyOn(location, 'assign');
  const session = site.session({ store: undefined, dpop: true });
  await session.start();
  const before = site.as.requests.length;
  expect(await outcome(session.signIn())).toBe('store_unavailable');
  expect(assigned).not.toHaveBeenCalled();
  expect(site.as.requests.length).toBe(before);
});

describe('a session without an end to wait for', () => {
  it('gives up code that does not come, and goes on when it is there [rule 8]', async () => {
    const site = signInSite();
    const code = Promise.withResolvers<object>();
    vi.doMock('../../../src/browser/live-session.js', () => code.promise);
    onTestFinished(() => void vi.doUnmock('../../../src/browser/live-session.js'));
    vi.resetModules();
    const { createSession } = await import('../../../src/browser/create-session.js');
    const session = createSession({
      issuer: site.as.issuer,
      clientId: 'app',
      redirectUri: `${origin}/callback`,
      clock: site.clock,
      store: site.store,
      fetch: site.as.fetch,
    });
    onTestFinished(() => session.dispose());
    const asked = outcome(session.getToken());
    for (let turn = 0; turn < 100; turn++) await Promise.resolve();
    expect(await site.settled(asked)).toBe('code_unavailable');
  });

  it('gives up a database that does not answer, and says so [rule 8, X25]', async () => {
    const site = signInSite();
    vi.stubGlobal('indexedDB', { open: () => ({}) });
    vi.stubGlobal('navigator', { locks: { request: () => new Promise(() => undefined) } });
    const session = site.session({ store: undefined });
    expect(await site.settled(session.start())).toMatchObject({ state: 'signed_out' });
    expect(await site.settled(outcome(session.getToken()))).toBe('store_unavailable');
    expect(await site.settled(outcome(session.signIn()))).toBe('store_unavailable');
    site.load(`${origin}/callback?code=x&state=y`);
    expect(await site.settled(outcome(site.session({ store: undefined }).start()))).toBe('store_unavailable');
  });
});

it('refuses at construction what its other code would only find later [rule 9]', () => {
  const site = signInSite();
  expect(() => site.session({ keepFresh: Object('yes') })).toThrow('keepFresh');
  expect(() => site.session({ maxTargets: 0 })).toThrow('maxTargets');
});

describe('a sign-out without the code that tells the server', () => {
  const withoutCode = async (store: Partial<TokenStore>) => {
    const site = signInSite();
    vi.doMock('../../../src/browser/live-session.js', () => Promise.reject(new Error('gone')));
    onTestFinished(() => void vi.doUnmock('../../../src/browser/live-session.js'));
    vi.resetModules();
    const { createSession } = await import('../../../src/browser/create-session.js');
    const options = { issuer: site.as.issuer, clientId: 'app', redirectUri: `${origin}/callback`, clock: site.clock, fetch: site.as.fetch };
    const session = createSession({ ...options, store: { ...site.store, ...store } });
    onTestFinished(() => session.dispose());
    return { site, session };
  };

  it('fails where the record could not be removed, at once or in time [R27]', async () => {
    const stored = { value: '{}', version: '1' };
    const busy = await withoutCode({ get: async () => stored, delete: async () => false });
    expect(await busy.site.settled(outcome(busy.session.signOut()))).toBe('store_unavailable');
    const hung = await withoutCode({ get: () => new Promise(() => undefined) });
    expect(await hung.site.settled(outcome(hung.session.signOut()))).toBe('store_unavailable');
  });
});

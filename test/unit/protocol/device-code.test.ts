import { inspect } from 'node:util';
import { createTokenManager, type DeviceCodeOptions, type DeviceGrant, type DevicePrompt, deviceCode, memoryStore } from 'tokenkeep';
import { type FakeAuthorizationServer, fakeAuthorizationServer, type ServerKnobs, type VirtualClock, virtualClock } from 'tokenkeep/testing';
import { describe, expect, it, vi } from 'vitest';
import { leaks, shown } from '../core/leaks.js';
import { observedStore, rejection, watch, watched } from '../manager/support.js';
import { thrown } from './wire.js';

interface Scene {
  readonly clock: VirtualClock;
  readonly server: FakeAuthorizationServer;
  readonly device: DeviceGrant;
  readonly prompts: DevicePrompt[];
  /** Seconds from the prompt at which the token endpoint was asked. */
  polledAt(): number[];
}

function scene(knobs: Partial<ServerKnobs> = {}, options: Partial<DeviceCodeOptions> = {}): Scene {
  const clock = virtualClock();
  const server = fakeAuthorizationServer({ clock, knobs });
  const prompts: DevicePrompt[] = [];
  const began = clock.now();
  const device = deviceCode({
    server: server.metadata,
    clientId: 'tv',
    scope: 'read',
    fetch: server.fetch,
    clock,
    onPrompt: (prompt) => void prompts.push(prompt),
    ...options,
  });
  return { clock, server, device, prompts, polledAt: () => server.requestsTo('token').map(({ at }) => (at - began) / 1000) };
}

describe('signing in on another device', () => {
  it('shows the code and where to enter it, and asks every five seconds until the user has decided [G4]', async () => {
    const { clock, server, device, prompts, polledAt } = scene({ devicePending: 3 });
    const done = device.signIn();
    await clock.advance(4_999);
    const [prompt] = prompts;
    expect(prompts).toHaveLength(1);
    expect(prompt).toEqual({
      userCode: expect.stringMatching(/^[A-Z]{4}-[A-Z]{4}$/),
      verificationUri: 'https://as.test/device',
      verificationUriComplete: `https://as.test/device?user_code=${prompt?.userCode}`,
      expiresAt: Date.UTC(2026, 0, 1, 0, 10),
      intervalMs: 5_000,
    });
    expect(polledAt()).toEqual([]);
    await clock.advance(15_001);
    await done;
    expect(polledAt()).toEqual([5, 10, 15, 20]);
    const asked = server.requestsTo('device')[0];
    expect(Object.fromEntries(asked?.params ?? [])).toEqual({ client_id: 'tv', scope: 'read' });
    const { device_code: code, ...rest } = Object.fromEntries(server.requestsTo('token')[0]?.params ?? []);
    expect([rest, code?.startsWith('dc-')]).toEqual([{ grant_type: 'urn:ietf:params:oauth:grant-type:device_code', client_id: 'tv' }, true]);
  });

  it.each([
    ['as the server says', 7, [7, 14]],
    ['no faster than once a second', 0.2, [1, 2]],
    ['no faster than once a second, at 0', 0, [1, 2]],
    ['every five seconds where it says nothing', undefined, [5, 10]],
    ['every five seconds where it says nonsense', 'soon', [5, 10]],
  ])('asks %s [G4]', async (_, deviceInterval, expected) => {
    const { clock, device, polledAt } = scene({ deviceInterval, devicePending: 1 });
    const done = device.signIn();
    await clock.advance(20_000);
    await done;
    expect(polledAt()).toEqual(expected);
  });

  it('asks five seconds slower for good after each slow_down [G4] [R12]', async () => {
    const { clock, device, polledAt } = scene({ deviceSlowDowns: 2, devicePending: 2 });
    const done = device.signIn();
    await clock.advance(100_000);
    await done;
    expect(polledAt()).toEqual([5, 15, 30, 45, 60]);
  });

  it('takes over a new interval that slow_down names, when it is larger [G4]', async () => {
    for (const [interval, expected] of [
      [20, [5, 25, 45]],
      [6, [5, 15, 25]],
    ] as const) {
      const { clock, server, device, polledAt } = scene();
      server.forNext(1, { error: 'slow_down', errorMembers: { interval } });
      server.forNext(1, { error: 'authorization_pending' });
      const done = device.signIn();
      await clock.advance(100_000);
      await done;
      expect(polledAt()).toEqual(expected);
    }
  });

  it('asks fast enough for none to be told to slow down, when the server counts [G4]', async () => {
    const { clock, server, device } = scene({ devicePending: 10, slowDownNamesInterval: true, deviceSlowDowns: 1 });
    const done = device.signIn();
    await clock.advance(200_000);
    await done;
    expect(server.tokenRequests).toBe(12);
  });

  it('waits twice as long after each poll that comes to nothing, and as before once there is an answer [G4]', async () => {
    const { clock, server, device, polledAt } = scene();
    server.forNext(2, { connection: 'dropBeforeCommit' });
    server.forNext(1, { answer: { status: 500, body: 'no' } });
    server.forNext(1, { error: 'authorization_pending' });
    const done = device.signIn();
    await clock.advance(200_000);
    await done;
    expect(polledAt()).toEqual([5, 15, 35, 75, 80]);
  });

  it('waits twice as long after a poll that got no answer in ten seconds, and for as long as a Retry-After says [G4] [R22]', async () => {
    const { clock, server, device, polledAt } = scene();
    server.forNext(1, { connection: 'hangBeforeCommit' });
    server.forNext(1, { answer: { status: 429 }, retryAfter: 60 });
    const done = device.signIn();
    await clock.advance(200_000);
    await done;
    expect(polledAt()).toEqual([5, 25, 85]);
  });

  it('stops when the user declines [G4]', async () => {
    const { clock, server, device } = scene({ deviceDecision: 'denied', devicePending: 1 });
    const failed = rejection(device.signIn());
    await clock.advance(60_000);
    expect(await failed).toMatchObject({ code: 'login_required', kind: 'interaction', phase: 'device', oauthError: 'access_denied' });
    expect(server.tokenRequests).toBe(2);
  });

  it('stops when the code runs out, without a request after it [G4]', async () => {
    const { clock, device, polledAt } = scene({ devicePending: Infinity, deviceExpiresIn: 12 });
    const failed = rejection(device.signIn());
    await clock.advance(11_999);
    expect(watch(failed).settled).toBe(false);
    await clock.advance(1);
    expect(await failed).toMatchObject({ code: 'login_required', kind: 'interaction', phase: 'device', oauthError: undefined });
    expect(polledAt()).toEqual([5, 10]);
  });

  it('does not ask sooner than it may only because the code runs out [G4]', async () => {
    const { clock, device, polledAt } = scene({ devicePending: Infinity, deviceExpiresIn: 9 });
    // A sleep that ends early, as timers of real machines do.
    const sleep = clock.sleep.bind(clock);
    clock.sleep = (ms, signal) => sleep(ms > 1 ? ms - 0.5 : ms, signal);
    const failed = rejection(device.signIn());
    await clock.advance(20_000);
    expect(await failed).toMatchObject({ code: 'login_required' });
    expect(polledAt()).toHaveLength(1);
  });

  it.each(['expired_token', 'token_expired'] as const)('stops when the server says %s [G4]', async (deviceExpiredError) => {
    const { clock, server, device } = scene({ deviceExpiredError, deviceExpiresIn: 7 });
    server.set({ deviceMembers: { expires_in: 600 } });
    server.forNext(1, { error: 'authorization_pending' });
    const failed = rejection(device.signIn());
    await clock.advance(60_000);
    expect(await failed).toMatchObject({ code: 'login_required', oauthError: deviceExpiredError });
    expect(server.tokenRequests).toBe(2);
  });

  it('counts a time in which the machine slept, and a wall clock that was set forward, not one that was set back [G4] [E8]', async () => {
    const slept = scene({ devicePending: Infinity });
    const failed = rejection(slept.device.signIn());
    await slept.clock.advance(6_000);
    slept.clock.suspend(3_600_000);
    await slept.clock.advance(5_000);
    expect(await failed).toMatchObject({ code: 'login_required' });
    const back = scene({ devicePending: Infinity });
    const later = rejection(back.device.signIn());
    await back.clock.advance(6_000);
    back.clock.jumpWall(-3_600_000);
    await back.clock.advance(600_000);
    expect(await later).toMatchObject({ code: 'login_required' });
  });

  it('ends at once when it is aborted, with the reason of the signal, and asks no more [G4]', async () => {
    for (const at of [0, 3_000, 12_000]) {
      const { clock, server, device } = scene({ devicePending: Infinity });
      const abort = new AbortController();
      const reason = new Error('enough');
      const outcome = device.signIn({ signal: abort.signal }).catch((error: unknown) => error);
      await clock.advance(at);
      abort.abort(reason);
      expect(await outcome).toBe(reason);
      const asked = server.requests.length;
      await clock.advance(60_000);
      expect([server.requests.length, clock.pending]).toEqual([asked, 0]);
      await expect(device.signIn({ signal: abort.signal })).rejects.toBe(reason);
    }
  });

  it('has one poller however many wait for it, and an abort ends the wait of one [G5]', async () => {
    const { clock, server, device, prompts } = scene({ devicePending: 1 });
    const abort = new AbortController();
    const waits = [device.signIn(), device.signIn({ signal: abort.signal }), device.signIn()];
    const outcomes = Promise.allSettled(waits);
    await clock.advance(6_000);
    abort.abort(new Error('one leaves'));
    await clock.advance(6_000);
    expect((await outcomes).map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect([prompts.length, server.requestsTo('device').length, server.tokenRequests]).toEqual([1, 1, 2]);
    await device.signIn();
    expect(prompts).toHaveLength(1);
  });

  it('stops when the last of those who wait has left, and begins anew with another code for who comes then [G5]', async () => {
    const { clock, server, device, prompts } = scene({ devicePending: 2 });
    const aborts = [new AbortController(), new AbortController()];
    const outcomes = Promise.allSettled(aborts.map(({ signal }) => device.signIn({ signal })));
    await clock.advance(6_000);
    for (const abort of aborts) abort.abort();
    await outcomes;
    await clock.advance(30_000);
    expect(server.tokenRequests).toBe(1);
    const again = device.signIn();
    await clock.advance(30_000);
    await again;
    expect(new Set(prompts.map(({ userCode }) => userCode)).size).toBe(2);
  });

  it('shows a new code after one that ran out [G5]', async () => {
    const { clock, server, device, prompts } = scene({ devicePending: Infinity, deviceExpiresIn: 8 });
    const failed = rejection(device.signIn());
    await clock.advance(10_000);
    await failed;
    server.set({ devicePending: 0 });
    const again = device.signIn();
    await clock.advance(6_000);
    await again;
    expect(prompts).toHaveLength(2);
  });

  it.each([
    [
      'throws',
      () => {
        throw new Error('canary-5f0e');
      },
    ],
    ['rejects', () => Promise.reject(new Error('canary-5f0e'))],
  ])('ends when the function that shows the code %s, and does not tell what it threw [S6] [S20]', async (_, onPrompt) => {
    const { clock, server, device } = scene({}, { onPrompt });
    const failed = rejection(device.signIn());
    await clock.advance(10_000);
    const error = await failed;
    expect([error.code, error.phase, leaks(shown(error), ['canary-5f0e'])]).toEqual(['grant_failed', 'device', []]);
    expect(server.tokenRequests).toBe(0);
  });

  it.each([
    ['no device_code', { device_code: undefined }],
    ['an empty user_code', { user_code: '' }],
    ['a user_code that moves the cursor', { user_code: '\u001b[2JABCD' }],
    ['a user_code that is a number', { user_code: 1234 }],
    ['no verification_uri', { verification_uri: undefined }],
    ['a verification_uri that is a script', { verification_uri: 'javascript:alert(1)' }],
    ['a verification_uri_complete that is a script', { verification_uri_complete: 'javascript:alert(1)' }],
    ['a verification_uri with a blank', { verification_uri: 'https://as.test/a b' }],
    ['no expires_in', { expires_in: undefined }],
    ['an expires_in of 0', { expires_in: 0 }],
  ])('refuses a device authorization response with %s [G4]', async (_, deviceMembers) => {
    const { clock, device, prompts } = scene({ deviceMembers });
    const failed = rejection(device.signIn());
    await clock.advance(0);
    expect(await failed).toMatchObject({ code: 'unacceptable_response', phase: 'device' });
    expect(prompts).toEqual([]);
  });

  it('takes verification_url for verification_uri, and does without the complete one [G4]', async () => {
    const { clock, device, prompts } = scene({
      deviceMembers: { verification_uri: undefined, verification_url: 'https://www.google.example/device', verification_uri_complete: undefined },
    });
    const done = device.signIn();
    await clock.advance(6_000);
    await done;
    expect(prompts).toMatchObject([{ verificationUri: 'https://www.google.example/device', verificationUriComplete: undefined }]);
  });

  it.each([
    ['no such endpoint', { deviceAuthorization: false }, 'discovery_failed'],
    ['an OAuth error', { deviceAnswer: { status: 400, contentType: 'application/json', body: '{"error":"unauthorized_client"}' } }, 'client_rejected'],
    ['a captive portal', { deviceAnswer: { status: 200, contentType: 'text/html', body: '<html>' } }, 'invalid_response'],
    ['a redirect', { deviceAnswer: { status: 302, headers: { location: 'https://trap.test' } } }, 'redirect_refused'],
    ['an overload', { deviceAnswer: { status: 503 } }, 'server_error'],
  ])('fails at once with %s [G4] [P23]', async (_, knobs, code) => {
    const { clock, server, device } = scene(knobs);
    const failed = rejection(device.signIn());
    await clock.advance(0);
    expect(await failed).toMatchObject({ code, phase: 'device' });
    expect(server.requestsTo('trap')).toEqual([]);
  });

  it('ends with a failure that no waiting mends [G4] [R10]', async () => {
    const { clock, server, device } = scene();
    server.forNext(1, { error: 'invalid_client' });
    const failed = rejection(device.signIn());
    await clock.advance(60_000);
    expect(await failed).toMatchObject({ code: 'client_rejected', kind: 'configuration' });
    expect(server.tokenRequests).toBe(1);
  });
});

describe('the device grant in a manager', () => {
  const signedIn = async (at: Scene): Promise<void> => {
    const done = at.device.signIn();
    await at.clock.advance(5_000);
    await done;
  };

  it('hands over what the sign-in gave without a request, and renews it as a refresh token does [G5]', async () => {
    const at = scene({ expiresIn: 600 });
    await signedIn(at);
    const store = observedStore(at.clock);
    const { tokens } = watched({ grant: at.device, clock: at.clock, store });
    await tokens.ready();
    expect(at.server.tokenRequests).toBe(1);
    expect(store.record()).toMatchObject({ refreshToken: expect.stringMatching(/^rt-/) });
    const first = await tokens.getToken();
    await at.clock.advance(596_000);
    const renewed = tokens.getToken();
    await at.clock.advance(0);
    expect((await renewed).value).not.toBe(first.value);
    expect(at.server.requestsTo('token').map(({ params }) => params.get('grant_type'))).toEqual([
      'urn:ietf:params:oauth:grant-type:device_code',
      'refresh_token',
    ]);
    await at.clock.advance(596_000);
    const again = tokens.getToken();
    await at.clock.advance(0);
    await again;
    expect([at.server.tokenRequests, at.server.stats.reuses]).toEqual([3, 0]);
    await tokens.dispose();
  });

  it('asks for a sign-in where there was none, and asks the server nothing [G5]', async () => {
    const { clock, server, device } = scene();
    const { tokens } = watched({ grant: device, clock });
    expect(await rejection(tokens.getToken())).toMatchObject({ code: 'login_required', kind: 'interaction' });
    expect(server.requests).toEqual([]);
    await tokens.dispose();
  });

  it('goes on after a restart from the store, under the name of the sign-in, and not under another [G5]', async () => {
    const at = scene();
    await signedIn(at);
    const store = memoryStore({ clock: at.clock });
    const before = createTokenManager({ grant: at.device, store, clock: at.clock });
    const { value } = await before.getToken();
    await before.dispose();
    const options = { server: at.server.metadata, clientId: 'tv', scope: 'read', fetch: at.server.fetch, clock: at.clock, onPrompt: () => undefined };
    const restarted = createTokenManager({ grant: deviceCode({ ...options, signInId: at.device.signInId }), store, clock: at.clock });
    expect((await restarted.getToken()).value).toBe(value);
    const stranger = createTokenManager({ grant: deviceCode(options), store, clock: at.clock });
    expect(await rejection(stranger.getToken())).toMatchObject({ code: 'login_required' });
    expect(at.server.tokenRequests).toBe(1);
    await Promise.all([restarted.dispose(), stranger.dispose()]);
  });

  it('renews first when the manager comes long after the sign-in [G5] [E1]', async () => {
    const at = scene({ expiresIn: 60 });
    await signedIn(at);
    await at.clock.advance(31_000);
    const { tokens } = watched({ grant: at.device, clock: at.clock });
    const token = tokens.getToken();
    await at.clock.advance(0);
    await token;
    expect(at.server.requestsTo('token')[1]?.params.get('grant_type')).toBe('refresh_token');
    await tokens.dispose();
  });

  it('gets a token for another target with the refresh token, and goes on with its successor [G5] [R3]', async () => {
    const at = scene();
    await signedIn(at);
    const { tokens } = watched({ grant: at.device, clock: at.clock });
    const other = tokens.for({ resource: 'https://stock.example/' }).getToken();
    await at.clock.advance(0);
    await other;
    const own = tokens.getToken();
    await at.clock.advance(0);
    await own;
    expect(at.server.requestsTo('token').map(({ params }) => [params.get('grant_type')?.split(':').at(-1), params.get('resource')])).toEqual([
      ['device_code', null],
      ['refresh_token', 'https://stock.example/'],
      ['refresh_token', null],
    ]);
    expect(at.server.stats.reuses).toBe(0);
    await tokens.dispose();
  });

  it('keeps a refresh token that the server does not replace, also from another target [P21]', async () => {
    const at = scene({ rotation: 'omit' });
    await signedIn(at);
    const { tokens } = watched({ grant: at.device, clock: at.clock });
    for (const source of [tokens.for({ resource: 'https://stock.example/' }), tokens]) {
      const token = source.getToken();
      await at.clock.advance(0);
      await token;
    }
    expect(
      new Set(
        at.server
          .requestsTo('token')
          .slice(1)
          .map(({ params }) => params.get('refresh_token')),
      ).size,
    ).toBe(1);
    await tokens.dispose();
  });

  it('asks for a new sign-in when the token ends and there was no refresh token [G5]', async () => {
    const at = scene({ members: { refresh_token: undefined }, expiresIn: 60 });
    await signedIn(at);
    const { tokens } = watched({ grant: at.device, clock: at.clock });
    await tokens.getToken();
    await at.clock.advance(60_000);
    expect(await rejection(tokens.getToken())).toMatchObject({ code: 'login_required' });
    await tokens.dispose();
  });

  it('says in the journal what was worth knowing of the sign-in [E6] [P20]', async () => {
    const at = scene({ grantedScope: 'less', expiresIn: undefined });
    await signedIn(at);
    const { tokens, events } = watched({ grant: at.device, clock: at.clock });
    await tokens.getToken();
    expect(events.map(({ type }) => type)).toEqual(['warning', 'scope_narrowed', 'token']);
    await tokens.dispose();
  });

  it('revokes what the sign-in gave, also before a manager took it [G11]', async () => {
    const at = scene();
    await signedIn(at);
    const { tokens } = watched({ grant: at.device, clock: at.clock });
    const revoked = tokens.revoke();
    await at.clock.advance(0);
    await revoked;
    expect(at.server.requestsTo('revocation')[0]?.params.get('token')).toMatch(/^rt-/);
    await tokens.dispose();
  });
});

describe('what the device grant shows of itself', () => {
  it('has no device code and no token in errors, events, prompts and inspection [S6]', async () => {
    const secrets = new Set<string>();
    const clock = virtualClock();
    const server = fakeAuthorizationServer({ clock, knobs: { devicePending: 1 } });
    const outputs: unknown[] = [];
    let code = '';
    const carrying: typeof fetch = async (input, init) => {
      const response = await server.fetch(input, init);
      const text = await response.clone().text();
      for (const [, name, secret] of text.matchAll(/"(device_code|access_token|refresh_token)":"([^"]+)"/g)) {
        if (secret !== undefined) secrets.add(secret);
        if (name === 'device_code') code = secret ?? '';
      }
      return response;
    };
    const device = deviceCode({ server: server.metadata, clientId: 'tv', fetch: carrying, clock, onPrompt: (prompt) => void outputs.push(prompt) });
    const failed = rejection(device.signIn());
    await clock.advance(0);
    server.forNext(1, { error: 'invalid_request', errorMembers: { error_description: `you sent ${code}` } });
    await clock.advance(6_000);
    outputs.push(await failed);
    const done = device.signIn();
    await clock.advance(30_000);
    await done;
    const { tokens, events } = watched({ grant: device, clock });
    outputs.push(await tokens.getToken(), events, device, device.id, device.signInId, await device.identity?.());
    expect(secrets.size).toBe(4);
    expect(leaks(outputs.map(shown).join('\n') + inspect(device, { depth: 10, showHidden: true }), [...secrets])).toEqual([]);
    expect(leaks(server.requests.map(({ url }) => url).join('\n'), [...secrets])).toEqual([]);
    await tokens.dispose();
  });

  it('tells sign-ins apart, and keeps its refresh token only where the preset promises it', async () => {
    const [a, b] = [scene().device, scene().device];
    expect(a.id).toBe(b.id);
    expect(await a.identity?.()).not.toBe(await b.identity?.());
    expect([a.keepsRefreshToken, scene({}, { preset: { rotation: 'none' } }).device.keepsRefreshToken]).toEqual([false, true]);
  });

  it.each([
    ['no way to show the code', { onPrompt: undefined }, 'onPrompt'],
    ['a text to show', { onPrompt: 'canary-5f0e' }, 'onPrompt'],
    ['a clock without sleep', { clock: { now: () => 0 } }, 'clock'],
    ['an empty name', { signInId: '' }, 'signInId'],
    ['a device code of its own', { deviceCode: 'canary-5f0e' }, 'deviceCode'],
    ['a parameter that it sets itself', { params: { device_code: 'x' } }, 'params.device_code'],
  ])('refuses %s at construction', (_, options, named) => {
    const good = { server: { issuer: 'https://as.test', token_endpoint: 'https://as.test/token' }, clientId: 'tv', onPrompt: () => undefined };
    const error = thrown(() => Reflect.apply(deviceCode, undefined, [{ ...good, ...options }]));
    expect([error.code, error.message.includes(named), error.message.includes('canary')]).toEqual(['invalid_option', true, false]);
  });

  it('refuses options of signIn() that it does not know', async () => {
    const { device } = scene();
    expect(await rejection(Reflect.apply(device.signIn, device, [{ timeoutMs: 5 }]))).toMatchObject({ code: 'invalid_option' });
  });

  it('uses the machine clock where it is given none', async () => {
    vi.useFakeTimers();
    try {
      const server = fakeAuthorizationServer({ knobs: { deviceInterval: 1 } });
      const device = deviceCode({ server: server.metadata, clientId: 'tv', fetch: server.fetch, onPrompt: () => undefined });
      const done = device.signIn();
      await vi.advanceTimersByTimeAsync(2_000);
      await done;
      expect(server.tokenRequests).toBe(1);
    } finally {
      vi.useRealTimers();
    }
  });
});

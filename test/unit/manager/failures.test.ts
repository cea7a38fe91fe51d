import { clientCredentials, clientSecretPost, type Preset, TokenError, type TokenErrorCode, type TokenErrorKind } from 'tokenkeep';
import { fakeAuthorizationServer, type RawAnswer, type ServerKnobs, virtualClock } from 'tokenkeep/testing';
import { describe, expect, it } from 'vitest';
import { hourMs, rejection, scriptedGrant, sentRefreshTokens, signedIn, transient, watch, watched } from './support.js';

interface Row {
  readonly signal: string;
  readonly knobs: Partial<ServerKnobs>;
  readonly kind: TokenErrorKind;
  readonly code: TokenErrorCode;
  /** How many times the refresh token is sent before the callers hear of it. */
  readonly requests: number;
  readonly keeps: boolean;
  readonly preset?: Preset;
}

const html: RawAnswer = { status: 200, body: '<!doctype html><title>Sign in to Wi-Fi</title>', contentType: 'text/html' };
const json = (body: string): RawAnswer => ({ status: 200, body, contentType: 'application/json' });
const transientRow = { kind: 'transient', requests: 2, keeps: true } as const;
const configurationRow = { kind: 'configuration', requests: 1, keeps: true } as const;

const rows: readonly Row[] = [
  { signal: 'the connection breaks', knobs: { connection: 'dropBeforeCommit' }, code: 'network_error', ...transientRow },
  { signal: 'silence', knobs: { connection: 'hangBeforeCommit' }, code: 'timeout', ...transientRow },
  ...[408, 425, 500, 502, 503, 504].map((status) => ({
    signal: `status ${status}`,
    knobs: { answer: { status } },
    code: 'server_error' as const,
    ...transientRow,
  })),
  { signal: 'status 429', knobs: { answer: { status: 429 } }, code: 'rate_limited', ...transientRow },
  { signal: 'status 429 with an OAuth error', knobs: { error: 'invalid_client', errorStatus: 429 }, code: 'rate_limited', ...transientRow },
  { signal: 'status 503 with an OAuth error', knobs: { error: 'invalid_grant', errorStatus: 503 }, code: 'server_error', ...transientRow },
  ...['temporarily_unavailable', 'server_error'].map((error) => ({ signal: error, knobs: { error }, code: 'server_error' as const, ...transientRow })),
  { signal: 'slow_down', knobs: { error: 'slow_down' }, code: 'rate_limited', ...transientRow },
  { signal: 'a captive portal', knobs: { answer: html }, code: 'invalid_response', ...transientRow },
  { signal: 'a firewall page with 403', knobs: { answer: { ...html, status: 403 } }, code: 'invalid_response', ...transientRow },
  { signal: 'an empty body', knobs: { answer: json('') }, code: 'invalid_response', ...transientRow },
  { signal: 'a list', knobs: { answer: json('[{"access_token":"x"}]') }, code: 'invalid_response', ...transientRow },
  { signal: 'half a body', knobs: { answer: json('{"access_token":"x"') }, code: 'invalid_response', ...transientRow },
  { signal: 'a body over the cap', knobs: { answer: json(`{"padding":"${'x'.repeat(300_000)}"}`) }, code: 'invalid_response', ...transientRow },
  ...['use_dpop_nonce', 'invalid_dpop_proof'].map((error) => ({
    signal: `${error} without DPoP`,
    knobs: { error },
    code: 'request_rejected' as const,
    ...configurationRow,
  })),
  {
    signal: 'invalid_grant with a suberror that asks for the user',
    knobs: { error: 'invalid_grant', errorMembers: { suberror: 'consent_required' } },
    preset: { codeMap: { 'invalid_grant+consent_required': 'interaction_required' } },
    kind: 'interaction',
    code: 'interaction_required',
    requests: 1,
    keeps: true,
  },
  { signal: 'invalid_grant', knobs: { error: 'invalid_grant' }, kind: 'interaction', code: 'grant_revoked', requests: 1, keeps: false },
  {
    signal: 'invalid_grant with 403',
    knobs: { error: 'invalid_grant', errorStatus: 403 },
    kind: 'interaction',
    code: 'grant_revoked',
    requests: 1,
    keeps: false,
  },
  ...['bad_refresh_token', 'token_revoked', 'invalid_refresh_token'].map((error) => ({
    signal: `${error}, which a preset takes for invalid_grant`,
    knobs: { error },
    preset: { codeMap: { [error]: 'grant_revoked' } } as const,
    kind: 'interaction' as const,
    code: 'grant_revoked' as const,
    requests: 1,
    keeps: false,
  })),
  ...['interaction_required', 'login_required', 'consent_required', 'account_selection_required', 'mfa_required', 'insufficient_user_authentication'].map(
    (error) => ({
      signal: error,
      knobs: { error },
      kind: 'interaction' as const,
      code: 'interaction_required' as const,
      requests: 1,
      keeps: true,
    }),
  ),
  ...['invalid_client', 'unauthorized_client'].map((error) => ({ signal: error, knobs: { error }, code: 'client_rejected' as const, ...configurationRow })),
  ...['unsupported_grant_type', 'invalid_request', 'invalid_scope', 'invalid_target', 'invalid_resource'].map((error) => ({
    signal: error,
    knobs: { error },
    code: 'request_rejected' as const,
    ...configurationRow,
  })),
  { signal: 'a redirect', knobs: { redirect: { status: 307 } }, code: 'redirect_refused', ...configurationRow },
  {
    signal: 'status 400 without an OAuth body',
    knobs: { answer: { status: 400, body: 'Bad Request', contentType: 'text/plain' } },
    code: 'unexpected_status',
    ...configurationRow,
  },
  {
    signal: 'status 404 without an OAuth body',
    knobs: { answer: { status: 404, body: 'no such page', contentType: 'text/plain' } },
    code: 'unexpected_status',
    ...configurationRow,
  },
  { signal: 'an error that nobody has heard of', knobs: { error: 'moon_phase' }, code: 'unknown_error', ...configurationRow },
  {
    signal: 'a token with a space in it',
    knobs: { answer: json('{"access_token":"a b","token_type":"Bearer"}') },
    code: 'unacceptable_response',
    ...configurationRow,
  },
  {
    signal: 'a token of an unknown type',
    knobs: { answer: json('{"access_token":"ab","token_type":"mac"}') },
    code: 'unacceptable_response',
    ...configurationRow,
  },
];

describe('the failure of a renewal', () => {
  it.each(rows)('$signal: $code, $requests request(s), refresh token kept: $keeps [R10]', async ({ knobs, kind, code, requests, keeps, preset }) => {
    const { clock, server, store, tokens, eventsOf } = signedIn({ grant: { preset } });
    const refused = await tokens.getToken();
    const refreshToken = store.record()['refreshToken'];
    const normal = { ...server.knobs };
    server.clearRequests();
    server.set(knobs);
    const failed = rejection(tokens.getToken({ invalidToken: refused }));
    await clock.advance(30_000);
    expect(await failed).toMatchObject({ kind, code });
    expect(sentRefreshTokens(server)).toEqual(Array.from({ length: requests }, () => refreshToken));
    expect(store.record()['refreshToken']).toBe(keeps ? refreshToken : undefined);
    expect(eventsOf('session_ended')).toHaveLength(keeps ? 0 : 1);
    expect(server.requestsTo('trap')).toHaveLength(0);

    // What was kept is good for a renewal as soon as the cause is gone, unless only the user can help.
    server.set(normal);
    await clock.advance(60_000);
    if (kind === 'interaction') expect(await rejection(tokens.getToken({ invalidToken: refused }))).toMatchObject({ kind });
    else expect((await tokens.getToken({ invalidToken: refused })).value).not.toBe(refused.value);
  });

  it.each([400, 401, 500])('HTTP %i without proof never costs anything that is stored [peer P14, complaint 4]', async (status) => {
    const { clock, server, store, tokens } = signedIn();
    const refused = await tokens.getToken();
    const before = store.record();
    server.set({ answer: { status } });
    const failed = rejection(tokens.getToken({ invalidToken: refused }));
    await clock.advance(30_000);
    await failed;
    expect(store.record()).toMatchObject({ refreshToken: before['refreshToken'], tokens: [{ value: refused.value }] });
    expect(tokens.peek()?.value).toBe(refused.value);
  });

  it('of a grant without refresh token is a wrong setting when the server says invalid_grant [R10]', async () => {
    const clock = virtualClock();
    const server = fakeAuthorizationServer({ clock, knobs: { error: 'invalid_grant' } });
    const grant = clientCredentials({ server: server.metadata, clientId: 'app', auth: clientSecretPost('secret-of-app'), fetch: server.fetch });
    const { tokens } = watched({ grant, clock });
    expect(await rejection(tokens.getToken())).toMatchObject({ kind: 'configuration', code: 'grant_rejected' });
    expect(server.tokenRequests).toBe(1);
  });

  it('for a wrong client secret keeps the refresh token, and the right secret heals it without a sign-in [R11]', async () => {
    const clock = virtualClock();
    let secret = 'the-right-secret';
    const server = fakeAuthorizationServer({ clock, clients: { app: secret } });
    const { tokens } = signedIn({
      clock,
      grant: {
        server: server.metadata,
        fetch: server.fetch,
        auth: clientSecretPost(() => secret),
        refreshToken: server.issueRefreshToken({ clientId: 'app' }),
      },
    });
    await tokens.getToken();
    secret = 'a-wrong-one-by-mistake';
    await clock.advance(hourMs);
    expect(await rejection(tokens.getToken())).toMatchObject({ kind: 'configuration', code: 'client_rejected', oauthError: 'invalid_client' });
    const { tokenRequests } = server;
    await clock.advance(59_000);
    expect(await rejection(tokens.getToken())).toMatchObject({ code: 'client_rejected', fromCache: true });
    expect(server.tokenRequests).toBe(tokenRequests);
    secret = 'the-right-secret';
    await clock.advance(1_000);
    expect((await tokens.getToken()).value).toBeTruthy();
  });

  it('with slow_down adds five seconds [R12]', async () => {
    const { clock, server, tokens } = signedIn();
    server.forNext(1, { error: 'slow_down' });
    const first = tokens.getToken();
    await clock.advance(10_000);
    await first;
    const [one, two] = server.requestsTo('token').map((request) => request.at);
    expect((two ?? 0) - (one ?? 0)).toBe(5_000);
  });

  it('by unreadable answers is repeated after 5 s at the earliest [R10]', async () => {
    const { clock, server, tokens } = signedIn();
    server.forNext(1, { answer: html });
    const first = tokens.getToken();
    await clock.advance(10_000);
    await first;
    const [one, two] = server.requestsTo('token').map((request) => request.at);
    expect((two ?? 0) - (one ?? 0)).toBe(5_000);
  });

  it('by an error that is none of ours says grant_failed and nothing of what was thrown [S6]', async () => {
    const grant = scriptedGrant('regrant', new Error('secret-in-a-message'));
    const { tokens } = watched({ grant, clock: virtualClock() });
    const error = await rejection(tokens.getToken());
    expect(error).toMatchObject({ code: 'grant_failed', kind: 'transient' });
    expect(error.cause).toBeUndefined();
    expect(JSON.stringify([error, error.stack])).not.toContain('secret-in');
  });
});

describe('time limits of a renewal', () => {
  it('are 10 s for each of three attempts, and 30 s for all [R20, complaint 30]', async () => {
    const clock = virtualClock();
    const began = clock.now();
    const grant = scriptedGrant('regrant', () => new Promise(() => undefined));
    const { tokens } = watched({ grant, clock });
    const failed = rejection(tokens.getToken());
    const state = watch(failed);
    await clock.advance(29_999);
    expect(state.settled).toBe(false);
    await clock.advance(1);
    expect(await failed).toMatchObject({ code: 'timeout', attempts: 3 });
    expect(grant.requests.map((request) => request.at - began)).toEqual([0, 10_000, 20_000]);
    expect(grant.requests.every((request) => request.context.signal.aborted)).toBe(true);
  });

  it('are 20 s and one resend where a refresh token is sent [R20, R8]', async () => {
    const { clock, server, tokens } = signedIn({ knobs: { connection: 'hangBeforeCommit' } });
    const began = clock.now();
    const failed = rejection(tokens.getToken());
    await clock.advance(30_000);
    expect(await failed).toMatchObject({ code: 'timeout', attempts: 2 });
    expect(server.requestsTo('token').map((request) => request.at - began)).toEqual([0, 20_000]);
    expect(new Set(sentRefreshTokens(server)).size).toBe(1);
  });

  it('end each wait after 35 s, while the renewal goes on and its token is kept [R20, R25]', async () => {
    const { clock, store, tokens } = signedIn({ knobs: { latencyAfterMs: 19_000 } });
    const first = tokens.getToken();
    await clock.advance(19_000);
    // The lock has the name of the record.
    const [name = ''] = store.contents.keys();
    const busy = store.lock?.run(name, () => clock.sleep(20_000), { waitMs: 0 });
    const waiting = rejection(tokens.getToken({ invalidToken: await first }));
    const state = watch(waiting);
    await clock.advance(34_999);
    expect(state.settled).toBe(false);
    await clock.advance(1);
    expect(await waiting).toMatchObject({ code: 'wait_timeout', kind: 'transient' });
    const before = tokens.peek()?.value;
    await clock.advance(4_000);
    await busy;
    expect(tokens.peek()?.value).not.toBe(before);
  });

  it('are bounded by a shorter signal of the caller [R20, R25]', async () => {
    const clock = virtualClock();
    const grant = scriptedGrant('regrant', () => new Promise(() => undefined));
    const { tokens } = watched({ grant, clock });
    const controller = new AbortController();
    const waiting = tokens.getToken({ signal: controller.signal });
    const reason = new DOMException('3 s are enough', 'TimeoutError');
    controller.abort(reason);
    await expect(waiting).rejects.toBe(reason);
  });
});

describe('back-off', () => {
  it.each([
    [0, [0, 0, 0]],
    [0.5, [0, 500, 1_500]],
    [0.999, [0, 999, 999 + 1_998]],
  ])('waits a random part (%d) of 1 s, then of 2 s [R21]', async (random, instants) => {
    const clock = virtualClock();
    const began = clock.now();
    const grant = scriptedGrant('regrant', transient());
    const { tokens, eventsOf } = watched({ grant, clock }, random);
    const failed = rejection(tokens.getToken());
    await clock.advance(10_000);
    await failed;
    expect(grant.requests.map((request) => Math.round(request.at - began))).toEqual(instants);
    expect(eventsOf('attempt_failed').map((event) => [event.attempt, event.error.code])).toEqual([
      [1, 'network_error'],
      [2, 'network_error'],
    ]);
  });

  it('leaves 5, 10, 20, 40, 60 s between renewals behind the callers, however many ask [R21, complaint 10]', async () => {
    const clock = virtualClock();
    const grant = scriptedGrant('regrant', {}, transient());
    const { tokens } = watched({ grant, clock, skewMs: 20 * 60_000 });
    await tokens.getToken();
    await clock.advance(hourMs - 20 * 60_000);
    for (let second = 0; second < 260; second++) {
      expect((await tokens.getToken()).value).toBe('at-1');
      await clock.advance(1_000);
    }
    const instants = grant.requests.slice(1).map((request) => request.at);
    expect(instants.slice(1).map((at, index) => (at - (instants[index] ?? 0)) / 1_000)).toEqual([5, 10, 20, 40, 60, 60, 60]);
  });

  it.each([
    ['delta-seconds', 5, 5_000],
    ['an HTTP-date', { dateInMs: 7_000 }, 7_000],
  ])('waits as long as Retry-After says: %s [R22]', async (_form, retryAfter, delayMs) => {
    const clock = virtualClock();
    const server = fakeAuthorizationServer({ clock });
    server.forNext(1, { answer: { status: 503 }, retryAfter });
    const grant = clientCredentials({ server: server.metadata, clientId: 'app', auth: clientSecretPost('secret-of-app'), fetch: server.fetch });
    const { tokens } = watched({ grant, clock });
    const token = tokens.getToken();
    await clock.advance(20_000);
    await token;
    const [one = 0, two = 0] = server.requestsTo('token').map((request) => request.at);
    expect(two - one).toBeGreaterThanOrEqual(delayMs - 1_000);
    expect(two - one).toBeLessThanOrEqual(delayMs);
  });

  it('adds up to a tenth to Retry-After [R22]', async () => {
    const clock = virtualClock();
    const grant = scriptedGrant('regrant', transient({ retryAfterMs: 5_000 }), {});
    const { tokens } = watched({ grant, clock }, 0.999);
    const token = tokens.getToken();
    await clock.advance(20_000);
    await token;
    const [one, two] = grant.requests.map((request) => request.at);
    expect((two ?? 0) - (one ?? 0)).toBeCloseTo(5_499.5, 0);
  });

  it('fails at once where Retry-After is longer than the deadline, and sends nothing before it passes [R22, complaint 9, peer P4]', async () => {
    const clock = virtualClock();
    const server = fakeAuthorizationServer({ clock });
    server.forNext(1, { answer: { status: 429 }, retryAfter: '120' });
    const grant = clientCredentials({ server: server.metadata, clientId: 'app', auth: clientSecretPost('secret-of-app'), fetch: server.fetch });
    const { tokens } = watched({ grant, clock });
    expect(await rejection(tokens.getToken())).toMatchObject({ code: 'rate_limited', retryAfterMs: 120_000 });
    for (let second = 0; second < 119; second++) {
      expect(await rejection(tokens.getToken())).toMatchObject({ code: 'rate_limited', fromCache: true });
      await clock.advance(1_000);
    }
    expect(server.tokenRequests).toBe(1);
    await clock.advance(1_000);
    await tokens.getToken();
    expect(server.tokenRequests).toBe(2);
  });

  it.each(['-1', 'abc', 'Fri, 01 Jan 1999 00:00:00 GMT'])('ignores a Retry-After of %s [R22]', async (retryAfter) => {
    const clock = virtualClock();
    const server = fakeAuthorizationServer({ clock });
    server.forNext(1, { answer: { status: 503 }, retryAfter });
    const grant = clientCredentials({ server: server.metadata, clientId: 'app', auth: clientSecretPost('secret-of-app'), fetch: server.fetch });
    const { tokens } = watched({ grant, clock });
    await tokens.getToken();
    const [one, two] = server.requestsTo('token').map((request) => request.at);
    expect(two).toBe(one);
  });

  it('takes a Retry-After of a day for one hour [R22]', async () => {
    const clock = virtualClock();
    const server = fakeAuthorizationServer({ clock });
    server.forNext(1, { answer: { status: 503 }, retryAfter: '86400' });
    const grant = clientCredentials({ server: server.metadata, clientId: 'app', auth: clientSecretPost('secret-of-app'), fetch: server.fetch });
    const { tokens } = watched({ grant, clock });
    await rejection(tokens.getToken());
    await clock.advance(hourMs - 1_000);
    await rejection(tokens.getToken());
    expect(server.tokenRequests).toBe(1);
    await clock.advance(1_000);
    await tokens.getToken();
    expect(server.tokenRequests).toBe(2);
  });

  it('of one target holds for all others of the same server [R23, complaint 9]', async () => {
    const clock = virtualClock();
    const grant = scriptedGrant('regrant', transient({ code: 'rate_limited', retryAfterMs: 20_000 }), {});
    const { tokens } = watched({ grant, clock });
    const both = Promise.all([tokens.for({ scope: 'a' }).getToken(), clock.sleep(1_000).then(() => tokens.for({ scope: 'b' }).getToken())]);
    await clock.advance(1_000);
    expect(grant.requests).toHaveLength(1);
    await clock.advance(18_999);
    expect(grant.requests).toHaveLength(1);
    await clock.advance(1);
    await both;
    expect(grant.requests.map((request) => request.at - (grant.requests[0]?.at ?? 0))).toEqual([0, 20_000, 20_000]);
  });

  it('keeps renewals behind the callers away from a server that asked to be left alone [R23]', async () => {
    const clock = virtualClock();
    const grant = scriptedGrant('regrant', {}, transient({ code: 'rate_limited', retryAfterMs: 40_000 }), {});
    const { tokens } = watched({ grant, clock });
    await tokens.getToken();
    await clock.advance(hourMs - 60_000);
    await rejection(tokens.for({ scope: 'other' }).getToken());
    for (let second = 0; second < 39; second++) {
      expect((await tokens.getToken()).value).toBe('at-1');
      await clock.advance(1_000);
    }
    expect(grant.requests).toHaveLength(2);
  });
});

describe('the memory of a failure', () => {
  it('lets a thousand calls in one second of an outage cause three requests at most [R24, complaint 10]', async () => {
    const clock = virtualClock();
    const grant = scriptedGrant('regrant', transient());
    const { tokens } = watched({ grant, clock });
    const errors = [];
    for (let call = 0; call < 1_000; call++) {
      errors.push(await rejection(tokens.getToken()));
      await clock.advance(1);
    }
    expect(grant.requests).toHaveLength(3);
    expect(errors[0]?.fromCache).toBe(false);
    expect(errors.slice(1).every((error) => error.fromCache && error.code === 'network_error')).toBe(true);
    await rejection(tokens.getToken());
    expect(grant.requests).toHaveLength(6);
  });

  it('doubles its pause from 1 s to 30 s [R24]', async () => {
    const clock = virtualClock();
    const grant = scriptedGrant('regrant', transient());
    const { tokens } = watched({ grant, clock });
    for (let tenth = 0; tenth < 1_300; tenth++) {
      await rejection(tokens.getToken());
      await clock.advance(100);
    }
    const instants = [...new Set(grant.requests.map((request) => request.at))];
    expect(instants.slice(1).map((at, index) => (at - (instants[index] ?? 0)) / 1_000)).toEqual([1, 2, 4, 8, 16, 30, 30, 30]);
  });

  it('lets one request through in 30 s of Retry-After for a thousand calls, and shows the circuit [gap 14, complaint 9]', async () => {
    const clock = virtualClock();
    const server = fakeAuthorizationServer({ clock, knobs: { answer: { status: 429 }, retryAfter: 30 } });
    const grant = clientCredentials({ server: server.metadata, clientId: 'app', auth: clientSecretPost('secret-of-app'), fetch: server.fetch });
    const { tokens } = watched({ grant, clock });
    for (let call = 0; call < 1_000; call++) {
      await rejection(tokens.getToken());
      await clock.advance(29);
    }
    expect(server.tokenRequests).toBe(1);
    expect(tokens.snapshot()).toMatchObject({ status: 'failed', lastError: { code: 'rate_limited', retryAfterMs: 30_000 } });
  });

  it('is the same for users: one request in 30 s of Retry-After for a thousand calls [gap 14]', async () => {
    const { clock, server, tokens } = signedIn({ knobs: { answer: { status: 429 }, retryAfter: 30 } });
    for (let call = 0; call < 1_000; call++) {
      await rejection(tokens.getToken());
      await clock.advance(29);
    }
    expect(server.tokenRequests).toBe(1);
  });

  it('is wiped out by clear() [R24]', async () => {
    const grant = scriptedGrant('regrant', transient(), transient(), transient(), {});
    const { tokens } = watched({ grant, clock: virtualClock() });
    await rejection(tokens.getToken());
    await tokens.clear();
    expect((await tokens.getToken()).value).toBe('at-4');
  });

  it('of one target does not block another [R24]', async () => {
    const clock = virtualClock();
    const grant = scriptedGrant('regrant', async (_current, context) => {
      if (context.target.audience === 'down') throw new TokenError('request_rejected', 'planned', { phase: 'token' });
      return {};
    });
    const { tokens } = watched({ grant, clock });
    expect(await rejection(tokens.for({ audience: 'down' }).getToken())).toMatchObject({ kind: 'configuration' });
    await tokens.for({ audience: 'up' }).getToken();
    expect(await rejection(tokens.for({ audience: 'down' }).getToken())).toMatchObject({ fromCache: true });
    expect(grant.requests).toHaveLength(2);
  });

  it('keeps a dead grant dead: a thousand calls, no further request, one event [complaint 10, R9]', async () => {
    const { clock, server, tokens, eventsOf } = signedIn({ knobs: { error: 'invalid_grant' } });
    for (let call = 0; call < 1_000; call++) {
      expect(await rejection(tokens.getToken())).toMatchObject({ kind: 'interaction' });
      await clock.advance(1_000);
    }
    expect(server.tokenRequests).toBe(1);
    expect(eventsOf('session_ended')).toHaveLength(1);
  });
});

describe('offline', () => {
  it.each([
    ['a user', 'valid'],
    ['a user', 'expired'],
    ['a service', 'valid'],
    ['a service', 'expired'],
  ])('%s with a token that is %s keeps everything and recovers by itself [gap 13, complaint 4, peer P13]', async (who, state) => {
    const clock = virtualClock();
    const server = fakeAuthorizationServer({ clock });
    const service = clientCredentials({ server: server.metadata, clientId: 'app', auth: clientSecretPost('secret-of-app'), fetch: server.fetch });
    const user = signedIn({ clock });
    const { tokens } = who === 'a user' ? user : watched({ grant: service, clock });
    const down = who === 'a user' ? user.server : server;
    const first = await tokens.getToken();
    down.set({ connection: 'dropBeforeCommit' });
    await clock.advance(state === 'valid' ? hourMs - 30_000 : hourMs);
    if (state === 'valid') expect((await tokens.getToken()).value).toBe(first.value);
    else expect(await rejection(tokens.getToken())).toMatchObject({ kind: 'transient', code: 'network_error' });
    await clock.advance(5 * hourMs);
    if (who === 'a user') expect(user.server.isLiveRefreshToken(String(user.store.record()['refreshToken']))).toBe(true);
    down.set({ connection: 'normal' });
    await clock.advance(30_000);
    expect((await tokens.getToken()).value).not.toBe(first.value);
  });
});

import { inspect } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { TokenError } from '../../../src/core/errors.js';
import type { Preset } from '../../../src/core/preset.js';
import { clientSecretBasic, clientSecretPost } from '../../../src/protocol/client-auth/client-auth.js';
import { clientCredentials } from '../../../src/protocol/grants/client-credentials.js';
import { excerpt } from '../../../src/protocol/wire/excerpt.js';
import { refreshToken } from '../../../src/protocol/grants/refresh-token.js';
import { parseRetryAfter } from '../../../src/protocol/wire/retry-after.js';
import { context, failure, fakeServer, good, json, server, standingClock, text } from './wire.js';

const auth = clientSecretBasic('s3cret');

function refused(answer: () => Response | Promise<Response>, preset?: Preset): Promise<TokenError> {
  return failure(clientCredentials({ server, clientId: 'svc', auth, fetch: fakeServer(answer).fetch, preset }).request(undefined, context()));
}

function refusedRefresh(answer: () => Response, preset?: Preset): Promise<TokenError> {
  return failure(
    refreshToken({ server, clientId: 'svc', auth, fetch: fakeServer(answer).fetch, refreshToken: 'rt-initial', preset }).request(undefined, context()),
  );
}

describe('the taxonomy of failures', () => {
  it.each([
    ['invalid_client', 'client_rejected', 'configuration'],
    ['unauthorized_client', 'client_rejected', 'configuration'],
    ['unsupported_grant_type', 'request_rejected', 'configuration'],
    ['invalid_request', 'request_rejected', 'configuration'],
    ['invalid_scope', 'request_rejected', 'configuration'],
    ['invalid_target', 'request_rejected', 'configuration'],
    ['invalid_resource', 'request_rejected', 'configuration'],
    ['interaction_required', 'interaction_required', 'interaction'],
    ['login_required', 'interaction_required', 'interaction'],
    ['consent_required', 'interaction_required', 'interaction'],
    ['account_selection_required', 'interaction_required', 'interaction'],
    ['mfa_required', 'interaction_required', 'interaction'],
    ['insufficient_user_authentication', 'interaction_required', 'interaction'],
    ['temporarily_unavailable', 'server_error', 'transient'],
    ['server_error', 'server_error', 'transient'],
    ['invalid_grant', 'grant_revoked', 'interaction'],
    ['something_else', 'unknown_error', 'configuration'],
    ['constructor', 'unknown_error', 'configuration'],
  ])('%s is %s, %s, whatever the 4xx status and also with 200 [R10] [P15] [P25]', async (word, code, kind) => {
    for (const status of [200, 400, 401, 403, 404]) {
      const error = await refusedRefresh(json({ error: word }, status));
      expect(error).toMatchObject({ code, kind, oauthError: word, status, phase: 'token' });
    }
  });

  it.each([
    [400, 'unexpected_status', 'configuration'],
    [401, 'unexpected_status', 'configuration'],
    [404, 'unexpected_status', 'configuration'],
    [405, 'unexpected_status', 'configuration'],
    [408, 'server_error', 'transient'],
    [425, 'server_error', 'transient'],
    [429, 'rate_limited', 'transient'],
    [500, 'server_error', 'transient'],
    [502, 'server_error', 'transient'],
    [503, 'server_error', 'transient'],
    [504, 'server_error', 'transient'],
    [403, 'invalid_response', 'transient'],
  ])('%i without an OAuth body is %s, %s [R10] [P26]', async (status, code, kind) => {
    for (const answer of [text('<html>no</html>', status), text('', status), text('{"err', status), json([], status)]) {
      expect(await refused(answer)).toMatchObject({ code, kind, status, oauthError: undefined });
    }
  });

  it('takes 403 with JSON that names no error as a refusal, not as a portal [R10]', async () => {
    expect(await refused(json({ message: 'Forbidden' }, 403))).toMatchObject({ code: 'unexpected_status' });
  });

  it.each([429, 503])('stays transient on %i whatever the body says [R10]', async (status) => {
    for (const word of ['invalid_grant', 'invalid_client', 'interaction_required'])
      expect((await refusedRefresh(json({ error: word }, status))).kind).toBe('transient');
  });

  it('believes an OAuth error on other 5xx, and calls an unknown word there a server error [R10]', async () => {
    expect((await refusedRefresh(json({ error: 'invalid_grant' }, 500))).code).toBe('grant_revoked');
    expect((await refusedRefresh(json({ error: 'whatever' }, 500))).code).toBe('server_error');
  });

  it('reads the body of a 401 that carries a challenge as well, and an error of any content type [P25]', async () => {
    expect(await refused(json({ error: 'invalid_client' }, 401, { 'www-authenticate': 'Basic realm="x", error="invalid_token"' }))).toMatchObject({
      code: 'client_rejected',
    });
    expect(await refusedRefresh(text('{"error":"invalid_grant"}', 403))).toMatchObject({ code: 'grant_revoked' });
  });

  it('handles 200 with an error like the 400 that it should have been [P15]', async () => {
    const [ok, bad] = [await refused(json({ error: 'bad_verification_code' })), await refused(json({ error: 'bad_verification_code' }, 400))];
    expect([ok.code, ok.oauthError]).toEqual([bad.code, bad.oauthError]);
    await expect(
      clientCredentials({ server, clientId: 'svc', auth, fetch: fakeServer(json({ ...good, error: '' })).fetch }).request(undefined, context()),
    ).resolves.toMatchObject({ accessToken: 'at-1' });
  });

  it('calls a refused grant that has no refresh token a wrong setting [R10]', async () => {
    expect(await refused(json({ error: 'invalid_grant' }, 400))).toMatchObject({ code: 'grant_rejected', kind: 'configuration' });
  });

  it('asks for 5 s at least after slow_down [R12]', async () => {
    expect(await refused(json({ error: 'slow_down' }, 400))).toMatchObject({ code: 'rate_limited', retryAfterMs: 5000 });
    expect(await refused(json({ error: 'slow_down' }, 400, { 'retry-after': '2' }))).toMatchObject({ retryAfterMs: 5000 });
    expect(await refused(json({ error: 'slow_down' }, 400, { 'retry-after': '9' }))).toMatchObject({ retryAfterMs: 9000 });
  });

  it("moves a provider's own codes between kinds by preset, the narrowest first [R13] [R10]", async () => {
    const preset: Preset = {
      codeMap: {
        bad_refresh_token: 'grant_revoked',
        'invalid_grant+basic_action': 'interaction_required',
        50076: 'interaction_required',
        incorrect_client_credentials: 'client_rejected',
        flood: 'server_error',
        odd: 'request_rejected',
      },
    };
    const codeOf = async (body: object) => (await refusedRefresh(json(body, 400), preset)).code;
    expect(await codeOf({ error: 'bad_refresh_token' })).toBe('grant_revoked');
    expect(await codeOf({ error: 'invalid_grant', suberror: 'basic_action' })).toBe('interaction_required');
    expect(await codeOf({ error: 'invalid_grant', error_codes: [50076] })).toBe('interaction_required');
    expect(await codeOf({ error: 'invalid_grant', suberror: 'other', error_codes: [1] })).toBe('grant_revoked');
    expect(await codeOf({ error: 'incorrect_client_credentials' })).toBe('client_rejected');
    expect(await codeOf({ error: 'flood' })).toBe('server_error');
    expect(await codeOf({ error: 'odd' })).toBe('request_rejected');
    expect((await refused(json({ error: 'bad_refresh_token' }, 400), preset)).code).toBe('grant_rejected');
  });

  it('calls a network failure transient, with the code of the system and nothing else of the foreign error [R10] [S6]', async () => {
    const foreign = new TypeError('fetch failed: Basic canary', { cause: Object.assign(new Error('connect canary'), { code: 'ECONNREFUSED' }) });
    const error = await refused(() => Promise.reject(foreign));
    expect(error).toMatchObject({ code: 'network_error', kind: 'transient', message: expect.stringContaining('(ECONNREFUSED)') });
    expect(error.cause).toBeUndefined();
    expect(inspect(error, { depth: null, showHidden: true })).not.toContain('canary');
    for (const code of ['lower', 'E canary', 'A'.repeat(60), 5]) {
      expect((await refused(() => Promise.reject(Object.assign(new Error('x'), { code })))).message).toBe('https://as.example could not be reached');
    }
    for (const thrown of [undefined, 'canary', { code: 'ENOTFOUND' }]) expect((await refused(() => Promise.reject(thrown))).code).toBe('network_error');
    expect((await refused(() => Response.error())).code).toBe('network_error');
    expect((await refused(() => undefined as unknown as Response)).code).toBe('network_error');
  });

  it("lets the signal's own reason through when the attempt is aborted", async () => {
    const reason = new Error('the time is up');
    for (const answer of [() => new Promise<Response>(() => undefined), json(good)]) {
      const limit = new AbortController();
      const fake = fakeServer((request) => {
        limit.abort(reason);
        request.init.signal?.throwIfAborted();
        return answer();
      });
      const grant = clientCredentials({ server, clientId: 'svc', auth, fetch: fake.fetch });
      await expect(grant.request(undefined, context({ signal: limit.signal }))).rejects.toBe(reason);
    }
  });

  it('sends nothing when the attempt was over before it began', async () => {
    const fake = fakeServer(json(good));
    const reason = new Error('too late');
    await expect(
      clientCredentials({ server, clientId: 'svc', auth, fetch: fake.fetch }).request(undefined, context({ signal: AbortSignal.abort(reason) })),
    ).rejects.toBe(reason);
    expect(fake.requests).toHaveLength(0);
  });
});

describe('Retry-After', () => {
  const now = Date.parse('2026-11-06T08:49:37Z');

  it.each([
    ['5', 5000],
    ['120', 120_000],
    [' 0 ', 0],
    ['999999', 3_600_000],
    ['9'.repeat(400), 3_600_000],
    ['Fri, 06 Nov 2026 08:50:37 GMT', 60_000],
    ['Friday, 06-Nov-26 08:50:37 GMT', 60_000],
    ['Fri Nov  6 08:50:37 2026', 60_000],
    ['Fri, 06 Nov 2026 12:49:37 GMT', 3_600_000],
    ['Fri, 06 Nov 2026 08:48:37 GMT', undefined],
    ['-1', undefined],
    ['abc', undefined],
    ['1.5', undefined],
    ['1e3', undefined],
    ['2026', 2_026_000],
    ['Fri, 99 Nov 2026 08:50:37 GMT', undefined],
    ['', undefined],
    [null, undefined],
  ])('%j asks for %s ms [R22]', (header, expected) => {
    expect(parseRetryAfter(header, now)).toBe(expected);
  });

  it('is undefined or a number from 0 to an hour whatever the header holds [R22]', () => {
    fc.assert(
      fc.property(fc.string(), (header) => {
        const wait = parseRetryAfter(header, now);
        expect(wait === undefined || (wait >= 0 && wait <= 3_600_000)).toBe(true);
      }),
    );
  });

  it('is told by the error of a 503 and a 429 [R22]', async () => {
    for (const status of [429, 503]) expect((await refused(json({}, status, { 'retry-after': '120' }))).retryAfterMs).toBe(120_000);
    const date = new Date(standingClock().time + 9000).toUTCString();
    expect((await refused(json({}, 503, { 'retry-after': date }))).retryAfterMs).toBe(9000);
    expect((await refused(json({}, 503, { 'retry-after': '-1' }))).retryAfterMs).toBeUndefined();
  });
});

describe('what a failure shows', () => {
  it('tells status, content type and the beginning of a page, without control characters [P26]', async () => {
    const page = `<html>\u001b[31m<title>Sign in\u0007 to\r\n the Wi\u202eFi</title>${'word '.repeat(500)}</html>`;
    const { message } = await refused(text(page, 502));
    expect(message).toContain('502 (text/html)');
    expect(message).toContain('<title>Sign in to the WiFi</title>');
    expect(message).not.toMatch(/[\p{Cc}\p{Cf}]/u);
    expect(message.length).toBeLessThan(320);
  });

  it('shows nothing of a body that came with 200, which may hold a token [P26] [complaint 18]', async () => {
    const { message } = await refused(text(`{"access_token":"short-token",`, 200));
    expect(message).not.toContain('short');
    expect(message).toContain('not the JSON object of a success');
  });

  it('cuts and cleans error and error_description, and mentions error_uri nowhere [P27]', async () => {
    const error = await refused(
      json({ error: `x y\u001b]8;;${'z '.repeat(100)}`, error_description: `\u001b[2J${'words and '.repeat(200)}`, error_uri: 'javascript:alert(1)' }, 400),
    );
    expect(error.oauthError?.length).toBeLessThanOrEqual(64);
    expect(JSON.stringify(error)).not.toContain('javascript');
    expect(`${error.message}${error.oauthError}`).not.toMatch(/\p{Cc}/u);
    expect(error.message.length).toBeLessThan(400);
  });

  it('hides every secret that was sent and every run that looks like a token, before it cuts [P26] [P27] [S6] [complaint 18]', async () => {
    const secret = 'can+ary/ %sec';
    const token = 'canary-refresh';
    const echoes = [
      secret,
      encodeURIComponent(secret),
      new URLSearchParams({ s: secret }).toString(),
      btoa(`svc:${secret}`),
      token,
      'eyJhbGciOiJub25lIn0.eyJzdWIiOiJjYW5hcnkifQ.canary',
      'x'.repeat(195) + secret,
    ];
    for (const way of [clientSecretBasic(secret), clientSecretBasic(secret, { encoding: 'raw' }), clientSecretPost(secret)]) {
      for (const echo of echoes) {
        for (const answer of [
          text(`You sent: ${echo}`, 400),
          json({ error: 'invalid_request', error_description: `got ${echo}` }, 400),
          json({ error: echo }, 400),
          json({ message: echo }, 400),
        ]) {
          const error = await failure(
            refreshToken({ server, clientId: 'svc', auth: way, fetch: fakeServer(answer).fetch, refreshToken: token }).request(undefined, context()),
          );
          const shown = inspect(error, { depth: null, showHidden: true }) + JSON.stringify(error) + String(error) + String(error.stack);
          expect(shown).not.toMatch(/canary|can\+ary|can%2Bary|can\+|ary\/ %|eyJ/);
        }
      }
    }
  });

  it('hides a secret wherever it stands in a text [S6]', () => {
    fc.assert(
      fc.property(fc.string(), fc.stringMatching(/^[!-~]{8,40}$/), fc.string(), (before, secret, after) => {
        fc.pre(!before.includes(secret) && !after.includes(secret) && !'[…]'.includes(secret));
        for (const text of [before + secret + after, before + encodeURIComponent(secret) + after, JSON.stringify(before + secret)]) {
          const shown = excerpt(text, [secret], 200);
          expect(shown.includes(secret)).toBe(false);
          expect(shown.length).toBeLessThanOrEqual(200);
        }
      }),
    );
  });

  it('hides secrets with runs of spaces, invisible characters and halves of characters, as the text shows them [S6]', () => {
    for (const secret of ['can  ary', 'can\u200bary', 'can\ud800ary', 'can\u00a0 ary']) {
      // Half a character cannot be sent: the server gets the replacement character.
      const arrived = secret.replace('\ud800', '\ufffd');
      for (const text of [secret, arrived, encodeURIComponent(arrived), JSON.stringify({ echo: arrived })])
        expect(excerpt(`got ${text}`, [secret], 200)).not.toMatch(/ary/);
    }
  });
});

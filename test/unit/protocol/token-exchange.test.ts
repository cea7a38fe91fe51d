import { createHash } from 'node:crypto';
import { inspect } from 'node:util';
import { clientSecretPost, type TokenExchangeOptions, tokenExchange } from 'tokenkeep';
import { fakeAuthorizationServer, virtualClock } from 'tokenkeep/testing';
import { describe, expect, it } from 'vitest';
import { fakeJwt } from '../../../src/testing/fake-jwt.js';
import { leaks, shown } from '../core/leaks.js';
import { observedStore, watched } from '../manager/support.js';
import { type Answer, context, failure, fakeServer, good, json, server, standingClock, thrown } from './wire.js';

const types = 'urn:ietf:params:oauth:token-type:';
const accessToken = `${types}access_token`;
const subject = { token: 'subject-token-canary', type: accessToken };
const exchanged = { ...good, issued_token_type: accessToken };

function grantOf(options: Partial<TokenExchangeOptions> = {}, ...answers: Answer[]) {
  const fake = fakeServer(...(answers.length > 0 ? answers : [json(exchanged)]));
  return { fake, grant: tokenExchange({ server, clientId: 'gateway', auth: clientSecretPost('s3cret'), subject, fetch: fake.fetch, ...options }) };
}

describe('the token exchange grant', () => {
  it('sends the subject and the actor with their types, and what is wanted [G6]', async () => {
    const { fake, grant } = grantOf({ actor: { token: 'actor-token', type: `${types}jwt` }, requestedTokenType: `${types}jwt`, scope: 'a' });
    await grant.request(undefined, context());
    expect(Object.fromEntries(fake.requests[0]?.body ?? [])).toEqual({
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      client_id: 'gateway',
      client_secret: 's3cret',
      subject_token: 'subject-token-canary',
      subject_token_type: accessToken,
      actor_token: 'actor-token',
      actor_token_type: `${types}jwt`,
      requested_token_type: `${types}jwt`,
      scope: 'a',
    });
  });

  it('names several audiences and resources, each once; a target names its own [P1] [P31] [G6]', async () => {
    const { fake, grant } = grantOf({ audience: ['orders', 'stock', 'orders'], resource: ['https://a.example/', 'https://b.example/'] });
    await grant.request(undefined, context());
    await grant.request(undefined, context({ target: { audience: 'ledger' } }));
    expect(fake.requests.map(({ body }) => [body.getAll('audience'), body.getAll('resource')])).toEqual([
      [
        ['orders', 'stock'],
        ['https://a.example/', 'https://b.example/'],
      ],
      [['ledger'], ['https://a.example/', 'https://b.example/']],
    ]);
  });

  it('hands in a fresh subject at every request, when a function gives it [G6]', async () => {
    const given = ['subject-1', 'subject-2'];
    const { fake, grant } = grantOf({ subject: { token: async () => given.shift() ?? '', type: accessToken } });
    await grant.request(undefined, context());
    await grant.request(undefined, context());
    expect(fake.requests.map(({ body }) => body.get('subject_token'))).toEqual(['subject-1', 'subject-2']);
  });

  it.each([undefined, '', null, 5])('refuses an answer whose issued_token_type is %j [G6]', async (issued) => {
    const { grant } = grantOf({}, json({ ...good, issued_token_type: issued }));
    expect(await failure(grant.request(undefined, context()))).toMatchObject({ code: 'unacceptable_response', kind: 'configuration' });
  });

  it('takes token_type N_A only for what was wanted as something else than an access token [G6] [G13]', async () => {
    const notApplicable = (issued: string) => json({ ...exchanged, issued_token_type: issued, token_type: 'N_A' });
    const misused = [
      grantOf({}, notApplicable(accessToken)),
      grantOf({ requestedTokenType: accessToken }, notApplicable(accessToken)),
      grantOf({ requestedTokenType: `${types}saml2` }, notApplicable(accessToken)),
      grantOf({}, notApplicable(`${types}id_token`)),
    ];
    for (const { grant } of misused) expect(await failure(grant.request(undefined, context()))).toMatchObject({ code: 'unacceptable_response' });
    const { grant } = grantOf({ requestedTokenType: `${types}saml2` }, notApplicable(`${types}saml2`));
    expect(await grant.request(undefined, context())).toMatchObject({ accessToken: 'at-1' });
  });

  it('refuses a token_type that it does not know, and none at all [P17] [G6]', async () => {
    for (const type of ['mac', undefined]) {
      const { grant } = grantOf({}, json({ ...exchanged, token_type: type }));
      expect(await failure(grant.request(undefined, context()))).toMatchObject({ code: 'unacceptable_response' });
    }
  });

  it.each([
    ['shorter than the subject', 600, 3600, 600_000],
    ['longer than the subject', 7200, 3600, 3_600_000],
    ['unknown', undefined, 3600, 3_600_000],
    ['known, of a subject that has ended', 7200, -5, 0],
  ])('gives a token no longer life than its subject: %s [G6]', async (_, expiresIn, subjectS, lifetimeMs) => {
    const clock = standingClock();
    const token = fakeJwt({ exp: clock.time / 1000 + subjectS });
    const { grant } = grantOf({ subject: { token, type: `${types}jwt` } }, json({ ...exchanged, expires_in: expiresIn }));
    expect((await grant.request(undefined, context({ clock }))).lifetimeMs).toBe(lifetimeMs);
  });

  it('reads the end of the subject by the clock of the server [G6] [E13]', async () => {
    const clock = standingClock();
    const date = new Date(clock.time + 600_000).toUTCString();
    const token = fakeJwt({ exp: clock.time / 1000 + 3600 });
    const { grant } = grantOf({ subject: { token, type: `${types}jwt` } }, json({ ...exchanged, expires_in: 7200 }, 200, { date }));
    expect((await grant.request(undefined, context({ clock }))).lifetimeMs).toBe(3_000_000);
  });

  it('makes nothing of a subject that says nothing, an encrypted one among them [G6] [E12]', async () => {
    for (const token of ['opaque', 'a.b.c.d.e', 'a.b.c', fakeJwt({})]) {
      const { grant } = grantOf({ subject: { token, type: accessToken } });
      expect((await grant.request(undefined, context())).lifetimeMs).toBe(3_600_000);
    }
  });

  it('asks nobody whom a token names, whatever its claims say [S11]', async () => {
    const stranger = { iss: 'https://stranger.example', aud: 'https://stranger.example', jku: 'https://stranger.example/keys' };
    const answer = json({ ...exchanged, access_token: fakeJwt(stranger) });
    const { fake, grant } = grantOf({ subject: { token: fakeJwt(stranger), type: `${types}jwt` } }, answer);
    await grant.revoke?.(await grant.request(undefined, context()), context());
    expect(fake.requests.map(({ url }) => new URL(url).origin)).toEqual(['https://as.example', 'https://as.example']);
  });

  it('hands on what the preset lists, and only that, and no refresh token [P29] [R28]', async () => {
    const answer = json({ ...exchanged, refresh_token: 'rt-1', tenant: 't1' });
    expect((await grantOf({ preset: { rawMembers: ['tenant'] } }, answer).grant.request(undefined, context())).raw).toEqual({ tenant: 't1' });
    const plain = await grantOf({}, answer).grant.request(undefined, context());
    expect([Object.hasOwn(plain, 'raw'), Object.hasOwn(plain, 'refreshToken')]).toEqual([false, false]);
  });

  it('is told apart by the digest of its subject, or by the name that the application gives it [G6] [R1] [S6]', async () => {
    const identity = (options: Partial<TokenExchangeOptions>) => grantOf(options).grant.identity?.();
    const of = (token: string) => ({ subject: { token, type: accessToken } });
    expect(await identity({})).toBe(createHash('sha256').update(subject.token).digest('base64url'));
    expect(await identity(of('other'))).not.toBe(await identity({}));
    expect(await identity({ actor: { token: 'actor', type: accessToken } })).not.toBe(await identity({}));
    const changing = { subject: { token: () => 'a', type: accessToken } };
    expect(await identity({ ...changing, id: 'anna' })).toBe(await identity({ ...changing, id: 'anna' }));
    expect(await identity({ ...changing, id: 'anna' })).not.toBe(await identity({ ...changing, id: 'bert' }));
    expect(await identity(changing)).not.toBe(await identity(changing));
    const ids = [{}, { audience: 'a' }, { requestedTokenType: accessToken }, { actor: { token: 'b', type: accessToken } }].map(
      (each) => grantOf(each).grant.id,
    );
    expect(new Set(ids).size).toBe(4);
    expect(grantOf({ audience: ['a', 'b'] }).grant.id).toBe(grantOf({ audience: ['b', 'a'] }).grant.id);
    expect(leaks(ids.join(' ') + inspect(grantOf().grant, { depth: 10, showHidden: true }), [subject.token])).toEqual([]);
  });

  it('calls a refused subject a wrong setting [R10]', async () => {
    const { grant } = grantOf({}, json({ error: 'invalid_grant' }, 400));
    expect(await failure(grant.request(undefined, context()))).toMatchObject({ code: 'grant_rejected' });
  });

  it('shows no token that it handed in, whatever is echoed [S6]', async () => {
    const actor = { token: () => 'actor-canary-token', type: accessToken };
    const echo: Answer = ({ body }) => json({ error: 'invalid_request', error_description: `${body.get('subject_token')} ${body.get('actor_token')}` }, 400)();
    const error = await failure(grantOf({ actor }, echo).grant.request(undefined, context()));
    expect(leaks(shown(error), [subject.token, 'actor-canary-token'])).toEqual([]);
    const thrower = { token: () => Promise.reject(new Error('canary-5f0e')), type: accessToken };
    const failed = await failure(grantOf({ subject: thrower }).grant.request(undefined, context()));
    expect([failed.code, leaks(shown(failed), ['canary-5f0e'])]).toEqual(['grant_failed', []]);
  });

  it.each([
    ['no subject', { subject: undefined }, 'subject'],
    ['a subject that is a string', { subject: 'canary-5f0e' }, 'subject'],
    ['a subject without type', { subject: { token: 'a' } }, 'subject.type'],
    ['a subject whose type is no URI', { subject: { token: 'a', type: 'access_token' } }, 'subject.type'],
    ['a subject without token', { subject: { type: accessToken } }, 'subject.token'],
    ['a subject with a line end', { subject: { token: 'canary-5f0e\n', type: accessToken } }, 'subject.token'],
    ['a subject with more', { subject: { ...subject, expiresIn: 5 } }, 'expiresIn'],
    ['an actor without type', { actor: { token: 'a' } }, 'actor.type'],
    ['a wanted type that is no URI', { requestedTokenType: 'jwt' }, 'requestedTokenType'],
    ['an empty audience', { audience: [''] }, 'audience'],
    ['a parameter that it sets itself', { params: { subject_token: 'x' } }, 'params.subject_token'],
    ['an empty id', { id: '' }, 'id'],
    ['an option that it does not have', { subjectToken: 'canary-5f0e' }, 'subjectToken'],
  ])('refuses %s at construction [G6]', (_, options, named) => {
    const error = thrown(() => Reflect.apply(tokenExchange, undefined, [{ server, clientId: 'a', subject, ...options }]));
    expect(error.code).toBe('invalid_option');
    expect(error.message).toContain(named);
    expect(error.message).not.toContain('canary-5f0e');
  });
});

describe('token exchange in a manager', () => {
  it('exchanges again at every renewal, with the subject of that moment, and shares nothing between two users [G6] [R28]', async () => {
    const clock = virtualClock();
    const fake = fakeAuthorizationServer({ clock });
    const store = observedStore(clock);
    const managerOf = (user: string) => {
      let turn = 0;
      const token = (): string => `${user}-subject-${++turn}`;
      const grant = tokenExchange({ server: fake.metadata, clientId: 'gateway', subject: { token, type: accessToken }, id: user, fetch: fake.fetch });
      return watched({ grant, clock, store }).tokens;
    };
    const [anna, bert] = [managerOf('anna'), managerOf('bert')];
    const first = [anna.getToken(), bert.getToken()];
    await clock.advance(0);
    await clock.advance(3_600_000);
    const second = anna.getToken();
    await clock.advance(0);
    const values = (await Promise.all([...first, second])).map(({ value }) => value);
    expect(new Set(values).size).toBe(3);
    expect(fake.requestsTo('token').map(({ params }) => params.get('subject_token'))).toEqual(['anna-subject-1', 'bert-subject-1', 'anna-subject-2']);
    expect(store.contents.size).toBe(2);
    expect(leaks([...store.contents].join(' '), ['anna-subject-1', 'bert-subject-1'])).toEqual([]);
    await Promise.all([anna.dispose(), bert.dispose()]);
  });
});

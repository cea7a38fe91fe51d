import { type CryptoKey, exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';
import { type ClientAuth, clientAssertion, clientSecretBasic, clientSecretJwt, clientSecretPost, privateKeyJwt } from 'tokenkeep';
import { createServiceClient } from 'tokenkeep/server';
import { type FakeAuthorizationServer, type FakeClient, fakeAuthorizationServer, type VirtualClock, virtualClock } from 'tokenkeep/testing';
import { describe, expect, it } from 'vitest';

interface Credential {
  /** What the server knows of it. */
  readonly registered: FakeClient;
  readonly auth: ClientAuth;
  /** Makes new ones: gives the registration with both, makes the service use the new one, and gives the registration without the old one. */
  rotate(): Promise<{ readonly both: FakeClient; use(): void; readonly after: FakeClient }>;
}

const newKey = async (kid: string): Promise<{ readonly named: { readonly key: CryptoKey; readonly kid: string }; readonly registered: JWK }> => {
  const { publicKey, privateKey } = await generateKeyPair('ES256');
  return { named: { key: privateKey, kid }, registered: { ...(await exportJWK(publicKey)), kid } };
};

function secretOf(method: (secret: () => string) => ClientAuth): () => Promise<Credential> {
  return async () => {
    let secret = 'the first secret, of 32 bytes or more';
    return {
      registered: { secret },
      auth: method(() => secret),
      async rotate() {
        const next = `${secret} and more`;
        return {
          both: { secret: [secret, next] },
          use: () => {
            secret = next;
          },
          after: { secret: next },
        };
      },
    };
  };
}

async function privateKey(): Promise<Credential> {
  let current = await newKey('1');
  let generation = 1;
  return {
    registered: { keys: [current.registered] },
    auth: privateKeyJwt(() => current.named),
    async rotate() {
      const next = await newKey(String(++generation));
      return {
        both: { keys: [current.registered, next.registered] },
        use: () => {
          current = next;
        },
        after: { keys: [next.registered] },
      };
    },
  };
}

/** A token file that the platform replaces, with the platform's own signing key. */
function tokenFile(clock: VirtualClock): () => Promise<Credential> {
  return async () => {
    let key = await newKey('1');
    let generation = 1;
    const issuer = { issuer: 'https://platform.test', subject: 'system:serviceaccount:billing' };
    const write = () =>
      new SignJWT({ iss: issuer.issuer, sub: issuer.subject, aud: 'https://as.test' })
        .setProtectedHeader({ alg: 'ES256', kid: key.named.kid })
        .setExpirationTime(Math.floor(clock.now() / 1000) + 7200)
        .sign(key.named.key);
    let file = `${await write()}\n`;
    return {
      registered: { federated: { ...issuer, keys: [key.registered] } },
      auth: clientAssertion(async () => file),
      async rotate() {
        const old = key.registered;
        key = await newKey(String(++generation));
        const next = `${await write()}\n`;
        return {
          both: { federated: { ...issuer, keys: [old, key.registered] } },
          use: () => {
            file = next;
          },
          after: { federated: { ...issuer, keys: [key.registered] } },
        };
      },
    };
  };
}

const clock = virtualClock();

/** 100 calls a second to the API, for so many seconds. */
async function load(seconds: number, call: () => Promise<number>, answers: number[]): Promise<void> {
  for (let tick = 0; tick < seconds * 100; tick++) {
    void call().then((status) => answers.push(status));
    await clock.advance(10);
  }
}

describe.each<[string, () => Promise<Credential>]>([
  ['client_secret_basic', secretOf(clientSecretBasic)],
  ['client_secret_post', secretOf(clientSecretPost)],
  ['client_secret_jwt', secretOf(clientSecretJwt)],
  ['private_key_jwt, key and kid', privateKey],
  ["the platform's token file", tokenFile(clock)],
])('%s', (_name, make) => {
  it('is rotated twice while 100 calls a second go on, over many renewals: no call fails [G2, P9, complaint 3]', async () => {
    const credential = await make();
    const server: FakeAuthorizationServer = fakeAuthorizationServer({ clock, clients: { svc: credential.registered }, knobs: { expiresIn: 6 } });
    await using client = createServiceClient({ issuer: server.issuer, clientId: 'svc', auth: credential.auth, fetch: server.fetch, clock });
    const http = client.http({ baseUrl: 'https://api.test/', fetch: server.fetch, throwHttpErrors: false, retry: 0 });
    const answers: number[] = [];
    const call = async (): Promise<number> =>
      http.get('a').then(
        ({ status }) => status,
        () => 0,
      );
    let calls = 0;
    const run = (seconds: number): Promise<void> => {
      calls += seconds * 100;
      return load(seconds, call, answers);
    };
    await run(4);
    for (let turn = 0; turn < 2; turn++) {
      const { both, use, after } = await credential.rotate();
      server.setClient('svc', both);
      await run(1);
      use();
      await run(1);
      server.setClient('svc', after);
      await run(6);
    }
    await clock.advance(0);
    expect(answers.length).toBe(calls);
    expect(answers.filter((status) => status !== 200)).toEqual([]);
    expect(server.tokenRequests).toBeGreaterThan(5);
  }, 30_000);

  it('is replaced at a server that knows one at a time, a renewal behind the callers meets the gap, and no call fails [R21, complaint 3]', async () => {
    const credential = await make();
    const server: FakeAuthorizationServer = fakeAuthorizationServer({ clock, clients: { svc: credential.registered }, knobs: { expiresIn: 20 } });
    await using client = createServiceClient({ issuer: server.issuer, clientId: 'svc', auth: credential.auth, fetch: server.fetch, clock });
    const http = client.http({ baseUrl: 'https://api.test/', fetch: server.fetch, throwHttpErrors: false, retry: 0 });
    const answers: number[] = [];
    const call = async (): Promise<number> =>
      http.get('a').then(
        ({ status }) => status,
        () => 0,
      );
    await load(8, call, answers);
    const { use, after } = await credential.rotate();
    server.setClient('svc', after);
    // The renewal begins after 9 to 10 s.
    await load(3, call, answers);
    expect(client.tokens.snapshot()).toMatchObject({ status: 'ready', lastError: { code: 'client_rejected' } });
    use();
    await load(12, call, answers);
    await clock.advance(0);
    expect(answers.filter((status) => status !== 200)).toEqual([]);
    expect(answers.length).toBe(2300);
    expect(client.tokens.snapshot()).toMatchObject({ lastError: undefined });
  }, 30_000);
});

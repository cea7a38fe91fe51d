import { clientSecretBasic, memoryStore } from 'tokenkeep';
import { createServiceClient, type ServiceClient } from 'tokenkeep/server';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { basicClient, callersOf, orders, startTestServer, stock, type TestServer } from './support/authorization-server.js';
import { shiftedClock } from './support/shifted-clock.js';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer();
});
afterAll(() => server.close());
beforeEach(() => {
  server.log.length = 0;
});

const tokenRequests = (): number => server.log.filter((line) => line === 'POST /token').length;

describe('ten clients that were given one store', () => {
  const clock = shiftedClock();
  const store = memoryStore({ clock });
  let clients: ServiceClient[];
  beforeAll(() => {
    const make = () =>
      createServiceClient({ issuer: server.issuer, clientId: basicClient.id, auth: clientSecretBasic(basicClient.secret), resource: orders, store, clock });
    clients = Array.from({ length: 10 }, make);
  });
  const all = async (): Promise<Set<string>> =>
    new Set((await Promise.all(clients.map(({ tokens }) => callersOf(tokens, 1_000)))).flatMap((values) => [...values]));

  it('send one token request for 10,000 concurrent callers [gap 15]', async () => {
    expect((await all()).size).toBe(1);
    expect(tokenRequests()).toBe(1);
  });

  it('send one more when that token has run out [R5, gap 5]', async () => {
    clock.advance(61_000);
    expect((await all()).size).toBe(1);
    expect(tokenRequests()).toBe(1);
  });

  it('let no caller wait for the renewal, and renew once [E2, gap 15, peer P18]', async () => {
    clock.advance(35_000);
    server.delayMs = 500;
    const before = [...(await all())];
    expect(before).toHaveLength(1);
    const served = async (): Promise<number> => {
      const now = await Promise.all(clients.map(({ tokens }) => tokens.getToken()));
      return now.filter((token) => token.value === before[0]).length;
    };
    expect(await served()).toBe(10);
    await expect.poll(served, { timeout: 5_000 }).toBeLessThan(10);
    // Past the first token's end all have the second one, and nobody asked for a third.
    clock.advance(22_000);
    const after = [...(await all())];
    expect(after).toHaveLength(1);
    expect(after).not.toEqual(before);
    expect(tokenRequests()).toBe(1);
    server.delayMs = 0;
  });

  it('replace a refused token once, whoever met the refusal [R4, gap 1]', async () => {
    const refused = await Promise.all(clients.map(({ tokens }) => tokens.getToken()));
    const replaced = await Promise.all(clients.map(({ tokens }, each) => tokens.getToken({ invalidToken: refused[each] })));
    expect(new Set(replaced.map((token) => token.value)).size).toBe(1);
    expect(replaced[0]?.value).not.toBe(refused[0]?.value);
    expect(tokenRequests()).toBe(1);
  });
});

describe('clients that were given no store', () => {
  it('keep their tokens to themselves [X19]', async () => {
    const make = () => createServiceClient({ issuer: server.issuer, clientId: basicClient.id, auth: clientSecretBasic(basicClient.secret), resource: stock });
    const values = await Promise.all([make(), make()].map(async ({ tokens }) => (await tokens.getToken()).value));
    expect(new Set(values).size).toBe(2);
    expect(tokenRequests()).toBe(2);
  });
});

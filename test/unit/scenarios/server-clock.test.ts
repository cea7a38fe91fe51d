import { exportJWK, generateKeyPair } from 'jose';
import { clientSecretJwt, privateKeyJwt } from 'tokenkeep';
import { createServiceClient } from 'tokenkeep/server';
import { fakeAuthorizationServer, virtualClock } from 'tokenkeep/testing';
import { describe, expect, it } from 'vitest';

const dayMs = 24 * 3_600_000;
const secret = 'a secret of thirty-two bytes: ok';
const { privateKey, publicKey } = await generateKeyPair('ES256');
const keys = [await exportJWK(publicKey)];

describe.each([
  ['private_key_jwt', privateKeyJwt(privateKey)],
  ['client_secret_jwt', clientSecretJwt(secret)],
])('a machine whose clock is wrong, with %s', (_name, auth) => {
  it.each([
    [-dayMs, 0],
    [dayMs, 0],
    [0, -dayMs],
    [0, dayMs],
    [-600_000, 1_200_000],
    [dayMs / 2, -dayMs],
  ])(
    'by %d ms, and set by %d ms in mid-life, sends no assertion twice, no stale token, and asks once more at most each time [E13, E8, gap 10]',
    async (offMs, jumpMs) => {
      const clock = virtualClock();
      const server = fakeAuthorizationServer({ clock, clients: { svc: { secret, keys } }, knobs: { clockOffsetMs: -offMs } });
      await using client = createServiceClient({ issuer: server.issuer, clientId: 'svc', auth, fetch: server.fetch, clock });
      const http = client.http({ baseUrl: 'https://api.test/', fetch: server.fetch, throwHttpErrors: false, retry: 0 });
      const requestsOf = async (task: () => Promise<unknown>): Promise<number> => {
        server.clearRequests();
        const done = task();
        for (let turn = 0; turn < 5; turn++) await clock.advance(0);
        await done;
        // No token was refused and sent again.
        expect(server.requestsTo('api')).toHaveLength(1);
        return server.tokenRequests;
      };
      const call = async () => expect((await http.get('a')).status).toBe(200);

      expect(await requestsOf(call)).toBe(offMs === 0 ? 1 : 2);
      await clock.advance(600_000);
      clock.jumpWall(jumpMs);
      expect(await requestsOf(call)).toBeLessThanOrEqual(2);
      // From now on the server's clock is known again: each renewal is one request.
      for (let life = 0; life < 3; life++) {
        await clock.advance(3_600_000);
        expect(await requestsOf(call)).toBeLessThanOrEqual(life === 0 && jumpMs !== 0 ? 2 : 1);
      }
    },
  );
});

import { clientCredentials, clientSecretBasic } from 'tokenkeep';
import { createAuthFetch } from 'tokenkeep/http';
import { fakeAuthorizationServer, virtualClock } from 'tokenkeep/testing';
import { describe, expect, it } from 'vitest';
import { watch, watched } from '../manager/support.js';

describe('tokens that live 4 s, from an endpoint that takes 200 ms', () => {
  it('let none of 100 calls a second wait over five lifetimes, and the API refuses none [E2] [E3] [gap 11]', async () => {
    const clock = virtualClock();
    const server = fakeAuthorizationServer({ clock, knobs: { expiresIn: 4, latencyBeforeMs: 200 }, clients: { service: 'secret' } });
    const grant = clientCredentials({ server: server.metadata, clientId: 'service', auth: clientSecretBasic('secret'), fetch: server.fetch });
    const { tokens, eventsOf } = watched({ grant, clock }, 0.5);
    const api = createAuthFetch(tokens, { allow: ['https://api.test'], fetch: server.fetch, clock });
    const started = tokens.ready();
    await clock.advance(300);
    await started;

    let sent = 0;
    let slow = 0;
    const statuses: Promise<number>[] = [];
    for (let elapsed = 0; elapsed < 20_000; elapsed += 10) {
      const wait = watch(tokens.getToken());
      statuses.push(api('https://api.test/orders').then(({ status }) => status));
      sent++;
      await clock.advance(0);
      if (!wait.settled) slow++;
      await clock.advance(10);
    }
    const answered = await Promise.all(statuses);
    expect([sent, slow]).toEqual([2_000, 0]);
    expect(answered.every((status) => status === 200)).toBe(true);
    expect(eventsOf('expired')).toEqual([]);
    // One renewal per window: at most one per half of a lifetime, and no fewer than one per lifetime.
    const renewals = eventsOf('token').filter(({ background }) => background).length;
    expect(renewals).toBeGreaterThanOrEqual(5);
    expect(renewals).toBeLessThanOrEqual(10);
    expect(server.tokenRequests).toBe(renewals + 1);
    await tokens.dispose();
  }, 60_000);
});

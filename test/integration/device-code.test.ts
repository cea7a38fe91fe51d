import { createTokenManager, type DevicePrompt, deviceCode, isTokenError, memoryStore } from 'tokenkeep';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decideDevice } from '../../examples/device/approve.js';
import { deviceClient, startTestServer, type TestServer } from './support/authorization-server.js';

describe('signing in on another device, at oidc-provider', () => {
  let server: TestServer;
  beforeAll(async () => {
    server = await startTestServer({ tokenLifetimeS: 2 });
  });
  afterAll(() => server.close());

  // The server lets nobody ask oftener than every five seconds, so the first answer comes after five.
  const signInAs = (decision: 'approve' | 'deny') => {
    const prompts: DevicePrompt[] = [];
    const onPrompt = (prompt: DevicePrompt): Promise<void> => {
      prompts.push(prompt);
      return decideDevice(server.provider, prompt.userCode, decision);
    };
    const device = deviceCode({ issuer: server.issuer, clientId: deviceClient.id, scope: 'openid offline_access', onPrompt });
    return { prompts, device };
  };

  it('gives tokens that are renewed with a rotating refresh token, also after a restart, until they are revoked [G4] [G5]', async () => {
    const { device, prompts } = signInAs('approve');
    await device.signIn();
    expect(prompts).toMatchObject([{ verificationUri: `${server.issuer}/device`, intervalMs: 5_000 }]);
    expect(prompts[0]?.verificationUriComplete).toContain(prompts[0]?.userCode);
    const store = memoryStore();
    const before = createTokenManager({ grant: device, store });
    const first = await before.getToken();
    expect(await server.introspect(first.value)).toBe(true);
    await before.dispose();

    const restarted = deviceCode({
      issuer: server.issuer,
      clientId: deviceClient.id,
      onPrompt: () => undefined,
      scope: 'openid offline_access',
      signInId: device.signInId,
    });
    await using tokens = createTokenManager({ grant: restarted, store });
    expect((await tokens.getToken()).value).toBe(first.value);
    for (let renewal = 0; renewal < 3; renewal++) {
      const token = await tokens.getToken();
      expect((await tokens.getToken({ invalidToken: token })).value).not.toBe(token.value);
    }
    const last = await tokens.getToken();
    await tokens.revoke();
    expect(await server.introspect(last.value)).toBe(false);
    expect(server.refusals).not.toContain('refresh token already used');
  });

  it('ends when the user declines [G4]', async () => {
    const { device } = signInAs('deny');
    const error = await device.signIn().catch((caught: unknown) => caught);
    expect(isTokenError(error) && [error.code, error.oauthError]).toEqual(['login_required', 'access_denied']);
  });

  it('waits while nobody decides, and ends when it is told [G4]', async () => {
    let asked = server.log.filter((line) => line === 'POST /token').length;
    const device = deviceCode({ issuer: server.issuer, clientId: deviceClient.id, scope: 'openid', onPrompt: () => undefined });
    await expect(device.signIn({ signal: AbortSignal.timeout(6_500) })).rejects.toThrow(/timeout/i);
    asked = server.log.filter((line) => line === 'POST /token').length - asked;
    expect(asked).toBe(1);
  });
});

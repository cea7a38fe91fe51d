import type { Provider } from 'oidc-provider';

/** Decides about a device's code as a user would who types it in: without a browser, for demonstrations and tests. */
export async function decideDevice(provider: Provider, userCode: string, decision: 'approve' | 'deny' = 'approve'): Promise<void> {
  // The server keeps codes as they are typed, without the dash.
  const code = await provider.DeviceCode.findByUserCode(userCode.replace(/[^A-Z\d]/g, ''));
  if (!code) throw new Error('no device waits for this code');
  if (decision === 'deny') code.error = 'access_denied';
  else {
    const scope = code.params.scope ?? '';
    const grant = new provider.Grant({ clientId: code.clientId, accountId: 'alice' });
    grant.addOIDCScope(scope);
    Object.assign(code, { accountId: 'alice', grantId: await grant.save(), scope, authTime: Math.floor(Date.now() / 1000) });
  }
  await code.save();
}

// A terminal program whose user signs in on another device (RFC 8628). The README explains how to run it.
import { createHash, randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { type AccessToken, createTokenManager, type DevicePrompt, deviceCode, isTokenError } from 'tokenkeep';
import { renderUnicodeCompact } from 'uqr';
import { decideDevice } from './approve.ts';
import { clientId, startDeviceServer } from './server.ts';

const flags = process.argv.slice(2);
if (flags.some((flag) => flag !== '--approve' && flag !== '--deny')) {
  console.error('usage: node examples/device/main.ts [--approve | --deny]   (the server decides by itself; else: with ISSUER and CLIENT_ID, yours is used)');
  process.exit(2);
}

const salt = randomBytes(8);
// Ctrl-C ends the wait for the user.
const stop = new AbortController();
process.once('SIGINT', () => stop.abort());

const { ISSUER, CLIENT_ID = clientId, SCOPE = 'openid offline_access' } = process.env;
const local = ISSUER === undefined ? await startDeviceServer() : undefined;
try {
  process.exitCode = await run(ISSUER ?? local?.issuer ?? '');
} finally {
  await local?.close();
}

async function run(issuer: string): Promise<number> {
  const device = deviceCode({ issuer, clientId: CLIENT_ID, scope: SCOPE, onPrompt: show });
  try {
    await device.signIn({ signal: stop.signal });
  } catch (error) {
    console.error(isTokenError(error) ? `Not signed in (${error.code}): ${error.message}` : 'Not signed in.');
    return 1;
  }
  await using tokens = createTokenManager({ grant: device });
  const first = await tokens.getToken();
  console.log(`Signed in. Token ${mark(first)} is good for ${secondsLeft(first)} s.`);
  if (local === undefined) return 0;
  // Renewed with the refresh token when it is needed, and nobody is asked again.
  await sleep((secondsLeft(first) + 1) * 1000);
  const second = await tokens.getToken();
  console.log(`Renewed without you: ${mark(second)}, ${secondsLeft(second)} s.`);
  await tokens.revoke();
  console.log('Signed out.');
  return second.value === first.value ? 1 : 0;
}

function show({ userCode, verificationUri, verificationUriComplete }: DevicePrompt): void {
  if (verificationUriComplete !== undefined) console.log(renderUnicodeCompact(verificationUriComplete, { border: 2 }));
  console.log(`\nOpen ${verificationUri} on any device and enter  ${userCode}\n${verificationUriComplete ? 'or scan the code above.\n' : ''}`);
  const decision = flags.includes('--approve') ? 'approve' : flags.includes('--deny') ? 'deny' : undefined;
  if (local && decision) void decideDevice(local.provider, userCode, decision);
}

// Tokens are secrets: a few digits of a salted hash tell one from another.
function mark(token: AccessToken): string {
  return `#${createHash('sha256').update(salt).update(token.value).digest('hex').slice(0, 6)}`;
}

function secondsLeft({ expiresAt = Infinity }: AccessToken): number {
  return Math.round((expiresAt - Date.now()) / 1000);
}

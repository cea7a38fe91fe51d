// `npm start`: an authorization server, a protected API and a service that calls it all the time, in one process.
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { Account } from './account.ts';
import { startAuthorizationServer } from './authorization-server.ts';
import { createPaper, type Paper } from './paper.ts';
import { startProtectedApi } from './protected-api.ts';
import { runService } from './service.ts';
import { printSummary } from './summary.ts';

const tokenLifetimeS = 4;
const tokenDelayMs = 250;
const skewMs = 1_500;
const onceMs = 13_000;
const resource = 'https://orders.example';
const clientId = 'order-report';

const flags = process.argv.slice(2);
const isOnce = flags.includes('--once');
if (flags.some((flag) => flag !== '--once')) {
  console.error('usage: npm start [-- --once]   (--once: 13 seconds, a summary, and an exit code)');
  process.exit(2);
}
process.exitCode = await demo(createPaper(process.stdout));

async function demo(paper: Paper): Promise<number> {
  const clientSecret = randomBytes(24).toString('base64url');
  const server = await startAuthorizationServer({
    clients: [{ client_id: clientId, client_secret: clientSecret, grant_types: ['client_credentials'] }],
    resources: { [resource]: { scope: 'orders:read' } },
    tokenLifetimeS,
    tokenDelayMs,
  });
  const api = await startProtectedApi({ issuer: server.issuer, audience: resource, scopes: { read: 'orders:read', write: 'orders:write' } });

  // A revocation while a token is fresh and no renewal runs, so that it is the 401 that forces the next one.
  const account = new Account(paper, ({ behind, forced }) => {
    if (behind >= 2 && (forced === 0 || behind % 8 === 0)) setTimeout(api.revokeLatest, 1_000).unref();
  });

  paper.line(`\n${paper.bold('  tokenkeep')}: a service that never thinks about its token\n`);
  paper.line(`  authorization server  ${server.issuer}  answers in ${tokenDelayMs} ms`);
  paper.line(`  protected API         ${api.url}  wants ${resource}`);
  paper.line(`  tokens                live ${tokenLifetimeS} s, renewed ${skewMs / 1000} s before they end, shown as #hash`);
  paper.line(paper.dim(isOnce ? `\n  one ▪ is two calls; ends by itself after ${onceMs / 1000} s\n` : '\n  one ▪ is two calls; Ctrl-C ends it\n'));

  const stop = stopSignal(isOnce ? onceMs : undefined);
  try {
    await runService({ issuer: server.issuer, clientId, clientSecret, resource, apiUrl: api.url, skewMs, account }, stop);
    account.close();
    const isGood = printSummary(paper, account.totals, server.tokenRequests(), isOnce);
    return isOnce && !isGood ? 1 : 0;
  } finally {
    await Promise.all([api.close(), server.close()]);
  }
}

// Aborts at Ctrl-C, or when the time is over. A second Ctrl-C ends the process at once.
function stopSignal(limitMs: number | undefined): AbortSignal {
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
  if (limitMs !== undefined) sleep(limitMs, undefined, { ref: false }).then(() => stop.abort());
  return stop.signal;
}

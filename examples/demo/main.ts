// `npm start`: an authorization server, a protected API and a service that calls it all the time, in one process.
import { setTimeout as sleep } from 'node:timers/promises';
import { Account } from './account.ts';
import { type LiveDemo, startLiveDemo, watchable } from './live-demo.ts';
import { createPaper, type Paper } from './paper.ts';
import { runService } from './service.ts';
import { startStage } from './stage.ts';
import { printBooks, printChecks } from './summary.ts';

const once = { tokenLifetimeS: 4, tokenDelayMs: 250, skewMs: 1_500, limitMs: 13_000 } as const;
const usualPort = 4780;
const more = [
  ['fleet/main.ts          ', 'four processes, one token'],
  ['accounts/main.ts --page', 'customers who connect, in a list; kill a process in mid-refresh'],
  ['bff/main.ts            ', 'a page that signs in and holds no token, and its backend'],
] as const;

const flags = process.argv.slice(2);
if (flags.some((flag) => flag !== '--once')) {
  console.error('usage: npm start [-- --once]   (--once: in the terminal alone, 13 seconds, a summary, and an exit code)');
  process.exit(2);
}
const paper = createPaper(process.stdout);
process.exitCode = await (flags.includes('--once') ? tellOnce(paper) : showLive(paper));

/** Everything in 13 seconds, a revoked token with it. */
async function tellOnce(paper: Paper): Promise<number> {
  const { server, api, account: own, close } = await startStage(once);
  // A revocation while a token is fresh and no renewal runs, so that it is the 401 that forces the next one.
  const account = new Account(paper, ({ behind, forced }) => {
    if (behind >= 2 && (forced === 0 || behind % 8 === 0)) setTimeout(api.revokeLatest, 1_000).unref();
  });
  const facts = [
    `authorization server  ${server.issuer}  answers in ${once.tokenDelayMs} ms`,
    `protected API         ${api.url}  wants ${own.resource}`,
    `tokens                live ${once.tokenLifetimeS} s, renewed ${once.skewMs / 1000} s before they end, shown as #hash`,
  ];
  printHead(paper, facts, `ends by itself after ${once.limitMs / 1000} s`);
  try {
    await runService({ ...own, skewMs: once.skewMs, watcher: account }, stopSignal(once.limitMs));
    account.close();
    printBooks(paper, account.totals, server.tokenRequests());
    return printChecks(paper, account.totals, server.tokenRequests()) ? 0 : 1;
  } finally {
    await close();
  }
}

/** Until Ctrl-C, with a page. */
async function showLive(paper: Paper): Promise<number> {
  const account = new Account(paper, () => undefined);
  let demo: LiveDemo;
  try {
    demo = await atSomePort((port) => startLiveDemo({ ...watchable, port, watcher: account }));
  } catch (error) {
    console.error(`The page cannot be served: ${error instanceof Error ? error.message : 'unknown'}`);
    return 1;
  }
  const stop = stopSignal(undefined);
  printHead(
    paper,
    [`a service: watch it, make trouble   ${paper.bold(demo.url)}`, `a page that signs you in            ${paper.bold(demo.appUrl)}`],
    'Ctrl-C ends it',
  );
  paper.line('  More to run, in another terminal:');
  for (const [command, what] of more) paper.line(`  node examples/${command}  ${paper.dim(what)}`);
  paper.line();
  await new Promise((resolve) => stop.addEventListener('abort', resolve));
  await demo.close();
  account.close();
  printBooks(paper, account.totals, demo.tokenRequests());
  return 0;
}

/** The port that was asked for in `PORT`; else the usual one, or any when that is taken. */
function atSomePort(start: (port: number) => Promise<LiveDemo>): Promise<LiveDemo> {
  const asked = process.env['PORT'];
  if (asked) return start(Number(asked));
  return start(usualPort).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE') return start(0);
    throw error;
  });
}

function printHead(paper: Paper, facts: readonly string[], end: string): void {
  paper.line(`\n${paper.bold('  tokenkeep')}: a service that never thinks about its token\n`);
  for (const fact of facts) paper.line(`  ${fact}`);
  paper.line(paper.dim(`\n  one ▪ is two calls; ${end}\n`));
}

// Aborts at Ctrl-C, or when the time is over. A second Ctrl-C ends the process at once.
function stopSignal(limitMs: number | undefined): AbortSignal {
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort());
  if (limitMs !== undefined) sleep(limitMs, undefined, { ref: false }).then(() => stop.abort());
  return stop.signal;
}

import type { Totals } from './account.ts';
import type { Paper } from './paper.ts';

/** Prints what happened, in numbers. */
export function printBooks(paper: Paper, totals: Totals, tokenRequests: number): void {
  const { answered, failed, behind, forced, longestWaitMs } = totals;
  const row = (name: string, value: number, note = '') => paper.line(`  ${name.padEnd(34)}${String(value).padStart(6)}${note && paper.dim(`   ${note}`)}`);
  const wait = (name: string, ms: number) => paper.line(`  ${name.padEnd(34)}${ms.toFixed(ms < 10 ? 1 : 0).padStart(6)} ms`);
  paper.line();
  paper.line(paper.dim(`  ${'─'.repeat(76)}`));
  row('authorized calls answered', answered);
  row('failed calls', failed);
  row('renewals', behind + forced, `${behind} behind callers, ${forced} forced by a 401`);
  row('token requests, server’s count', tokenRequests, `1 first token, ${tokenRequests - 1} for renewals`);
  wait('longest wait for the first token', longestWaitMs.first);
  if (forced > 0) wait('longest wait after a 401', longestWaitMs.refused);
  wait('longest wait of all other calls', longestWaitMs.usual);
  paper.line(paper.dim(`  ${'─'.repeat(76)}`));
}

/** Prints whether the numbers of a whole run show what they have to. True when all of it holds. */
export function printChecks(paper: Paper, { answered, failed, behind, forced }: Totals, tokenRequests: number): boolean {
  const renewals = behind + forced;
  const checks: readonly (readonly [string, boolean])[] = [
    ['at least 100 authorized calls', answered >= 100],
    ['at least 3 renewals', renewals >= 3],
    ['one of them forced by a 401', forced >= 1],
    ['no failed call', failed === 0],
    ['no token request beyond one per renewal', tokenRequests === 1 + renewals],
  ];
  for (const [what, holds] of checks) paper.line(`  ${holds ? paper.good('✓') : paper.bad('✗')} ${what}`);
  paper.line();
  return checks.every(([, holds]) => holds);
}

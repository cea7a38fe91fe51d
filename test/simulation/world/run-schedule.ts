import { callApi, callForToken, disturb } from './actions.js';
import { type Member, type Mutation, World } from './world.js';

export interface ScheduleResult {
  readonly violations: readonly string[];
  readonly lines: readonly string[];
  readonly steps: number;
  readonly requests: number;
  readonly handled: World;
}

const mostSteps = 50_000;
// Whatever is under way ends by its own limits: 35 s for callers, 40 s for dispose, 5 s for the store.
const restMs = 100_000;

/** Runs one schedule to its end, or to its first violation. */
export async function runSchedule(seed: number, schedule: number, tracing: boolean, mutation?: Mutation): Promise<ScheduleResult> {
  const world = new World(seed, schedule, tracing, mutation);
  const { random, plan, clock, members, violations } = world;
  const [first, ...others] = members;
  const open = new Set<Promise<void>>();
  const start = (task: () => Promise<void>): void => {
    const done = task()
      .catch((error: unknown) => world.violation(`an action failed: ${String(error)}`))
      .finally(() => open.delete(done));
    open.add(done);
  };
  const any = (): Member | undefined => first && random.pick(first, ...others);
  const at = (ms: number, act: (member: Member) => Promise<void>): void =>
    start(async () => {
      await clock.sleep(ms);
      const member = any();
      if (member !== undefined) await act(member);
    });
  for (let call = 0; call < plan.calls; call++) {
    const ms = random.between(0, plan.horizonMs);
    if (random.chance(0.1)) for (let burst = 0; burst < 5; burst++) at(ms, (member) => callForToken(world, member));
    at(ms, random.chance(0.2) ? (member) => callApi(world, member) : (member) => callForToken(world, member));
    if (random.chance(0.2)) at(random.between(0, plan.horizonMs), (member) => disturb(world, member));
  }

  let steps = 0;
  const run = async (until: () => boolean): Promise<void> => {
    for (;;) {
      await turn();
      if (violations.length > 0 || until()) return;
      if (++steps > mostSteps) return world.violation(`no end after ${mostSteps} steps`);
      if (!clock.step()) return;
    }
  };
  await run(() => open.size === 0);
  if (violations.length === 0 && open.size > 0) world.violation(`${open.size} actions never end`);
  if (violations.length === 0) await finish(world, run);
  return { violations, lines: world.lines, steps, requests: world.oracle.requests, handled: world };
}

async function finish(world: World, run: (until: () => boolean) => Promise<void>): Promise<void> {
  const { clock, members, oracle, server, plan } = world;
  checkSession(world);
  world.trace(() => 'the end: dispose all');
  let open = members.length;
  for (const member of members) {
    member.disposed = true;
    void member.manager.dispose().then(() => open--);
  }
  const began = clock.monotonicMs();
  await run(() => open === 0);
  if (clock.monotonicMs() - began > 40_000) world.violation('dispose() took more than 40 s');
  const after = clock.monotonicMs();
  await run(() => clock.monotonicMs() - after > restMs || members.every((member) => member.clock.open === 0));
  for (const { index, clock: counted } of members) {
    if (counted.open > 0) world.violation(`m${index} sleeps on after its end`);
  }
  if (clock.monotonicMs() - after > (plan.store === 'none' || plan.store === 'memory' ? 5_000 : 20_000))
    world.violation(`timers end ${clock.monotonicMs() - after} ms after dispose()`);
  const { requests } = oracle;
  let answered = 0;
  for (const member of members) void callForToken(world, member).finally(() => answered++);
  await turn();
  if (answered < members.length) world.violation('a disposed manager lets a caller wait');
  if (oracle.requests > requests) world.violation('a disposed manager sends requests');
  if (plan.renews === 'refreshToken' && server.alive && oracle.lost === 0 && oracle.storeFailures === 0 && oracle.forgets === 0 && plan.rotation !== 'same')
    checkStored(world);
}

function checkStored(world: World): void {
  const { stored, server, store } = world;
  if (store === undefined || server.currentRefreshToken === server.initialRefreshToken) return;
  if (!stored.includes(`"refreshToken":"${server.currentRefreshToken}"`)) world.violation(`the store does not hold ${server.currentRefreshToken}`);
}

function checkSession(world: World): void {
  const { server, oracle, sessionEnds, plan } = world;
  const excused = oracle.lost > 0 || oracle.storeFailures > 0 || oracle.forgets > 0;
  if (server.reuses > 0 && !excused) world.violation(`${server.reuses} reuses of a refresh token, and no answer was lost`);
  if (server.reuses > oracle.lost + oracle.storeFailures + oracle.forgets * plan.managers)
    world.violation(`${server.reuses} reuses after ${oracle.lost} lost answers`);
  if (oracle.storeFailures > 0 || oracle.forgets > 0) return;
  const ends = sessionEnds.filter((reason) => reason === 'grant_revoked' || reason === 'rotation_lost');
  if (ends.length > 1) world.violation(`the session ended ${ends.length} times: ${ends.join(', ')}`);
  if (ends.includes('grant_revoked') && !oracle.administratorEnded && oracle.lost === 0) world.violation('grant_revoked, and nobody revoked it');
  if (ends.includes('rotation_lost') && oracle.lost === 0 && !oracle.administratorEnded) world.violation('rotation_lost, and nothing was lost');
}

function turn(): Promise<undefined> {
  return new Promise((resolve) => setImmediate(resolve, undefined));
}

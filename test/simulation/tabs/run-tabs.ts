import { isTokenError } from 'tokenkeep';
import type { VirtualClock } from 'tokenkeep/testing';
import { type SimulatedTab, TabWorld } from './tab-world.js';

// Nothing here waits for real work, so that each step needs one turn of the event loop.
async function pass(clock: VirtualClock, ms: number): Promise<void> {
  let isOver = false;
  void clock.sleep(ms).then(() => {
    isOver = true;
  });
  while (!isOver) {
    clock.step();
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** One schedule: users, calls and ends of tabs at random instants, then quiet; then everything must be as it should be. */
export async function runTabs(seed: number, schedule: number): Promise<TabWorld> {
  const world = new TabWorld(seed, schedule);
  const { clock, random, plan } = world;
  const [first] = world.tabs;
  if (first === undefined) throw new Error('a browser without a tab');
  const tasks: Promise<void>[] = [];

  const open = (): SimulatedTab => {
    const [some, ...others] = world.tabs.filter((tab) => tab.open);
    return some === undefined ? world.openTab() : random.pick(some, ...others);
  };

  async function call(tab: SimulatedTab): Promise<void> {
    // A closed tab's calls never end.
    const outcome = await Promise.race([
      tab.kept.tokens.getToken().then(
        ({ value }) => value,
        (error: unknown) => {
          if (!isTokenError(error)) world.violation(`a caller got ${String(error)}`);
          return '';
        },
      ),
      tab.closed,
    ]);
    if (outcome) world.trace(`tab ${world.tabs.indexOf(tab)} got ${outcome}`);
  }

  async function story(): Promise<void> {
    await world.signIn(first ?? open(), 'alice');
    for (let step = 0; step < 40; step++) {
      await clock.sleep(random.between(0, random.chance(0.2) ? plan.lifetimeMs * 1.5 : 200));
      const what = random.weighted({ call: 20, open: 1, close: plan.closes ? 4 : 0, signOut: plan.switches ? 1 : 0, signIn: plan.switches ? 2 : 0 }, 'call');
      const tab = open();
      if (what === 'call') tasks.push(call(tab));
      else if (what === 'open') world.openTab();
      else if (what === 'close') world.closeTab(tab);
      else if (what === 'signOut') tasks.push(Promise.race([world.signOut(tab), tab.closed]));
      else tasks.push(Promise.race([world.signIn(tab, random.pick('alice', 'bob')), tab.closed]));
    }
  }

  let over = false;
  void story().then(() => {
    over = true;
  });
  while (!over) await pass(clock, 1_000);
  // Whoever still waits for an answer gets it, or gives up.
  await pass(clock, 80_000);

  await settle(world);
  return world;
}

// All tabs that are left look once more, and agree.
async function settle(world: TabWorld): Promise<void> {
  const { clock, plan } = world;
  const left = world.tabs.filter((tab) => tab.open);
  if (left.length === 0) left.push(world.openTab());
  const seen = new Set<string>();
  for (const { kept } of left) {
    let outcome: string | undefined;
    void kept
      .recheck()
      .then(() => kept.tokens.getToken())
      .then(
        ({ value }) => {
          outcome = value;
        },
        (error: unknown) => {
          outcome = isTokenError(error) ? error.kind : String(error);
        },
      );
    for (let turns = 0; outcome === undefined && turns < 6; turns++) await pass(clock, 10_000);
    seen.add(outcome ?? 'no answer');
  }
  const values = [...seen];
  if (values.includes('no answer')) world.violation('a tab does not answer');
  if (values.includes('transient')) world.violation('a tab fails though nothing is out of order');
  const holds = values.filter((value) => value.startsWith('at-'));
  if (holds.length > 0 && values.includes('interaction')) world.violation(`some tabs are signed in and others not: ${values.join(', ')}`);
  const users = new Set(holds.map((value) => value.split('-')[1]));
  if (users.size > 1) world.violation(`tabs hold tokens of several users: ${values.join(', ')}`);
  if (!plan.closes && !plan.switches && holds.length !== values.length) world.violation(`nobody signed out, and a tab is signed out: ${values.join(', ')}`);
  const cost = world.reuses + world.losses;
  if (!plan.closes && cost > 0) world.violation(`no tab was closed, and ${world.reuses} refresh tokens were used twice, ${world.losses} sessions lost`);
  // A closed tab takes at most its own renewal along, once.
  if (world.losses > world.cutOff) world.violation(`${world.losses} sessions were lost to ${world.cutOff} renewals that were cut off`);
  if (world.reuses > world.cutOff) world.violation(`${world.reuses} reuses for ${world.cutOff} renewals that were cut off`);
  if (plan.graceMs > 0 && plan.lifetimeMs <= 20_000 && !plan.switches && world.losses > world.cutOff) world.violation('a loss within the grace');
}

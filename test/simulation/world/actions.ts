import { isTokenError } from 'tokenkeep';
import { momentOf } from './clocks.js';
import { weathers } from './plan.js';
import type { Member, World } from './world.js';

const callerMs = 35_000;
const storeMs = 5_000;

/** One getToken() with everything that is owed to its caller. */
export async function callForToken(world: World, member: Member): Promise<void> {
  const { random, oracle, clock } = world;
  const [own, ...others] = member.sources;
  if (own === undefined) return;
  const { target, source } = random.pick(own, ...others);
  const wish = random.weighted({ plain: 8, invalid: 1, long: 1, aborted: 2 }, 'plain');
  const controller = new AbortController();
  const reason = { aborted: true };
  const current = wish === 'invalid' && target === '' && world.plan.apiRevokes ? member.manager.peek() : undefined;
  if (current !== undefined) oracle.refused(current.value);
  const minValidMs = wish === 'long' ? random.pick(10_000, 600_000, 36_000_000) : undefined;
  if (minValidMs !== undefined) oracle.wished(member.index, target);
  const began = momentOf(clock);
  const { disposed } = member;
  // What this manager never had cannot be forgotten by it: another one's tokens for such a target stay in the store.
  const notBefore = member.notBefore.get(target) ?? 0;
  member.asked.add(target);
  const atOnce = !disposed && wish === 'plain' && oracle.mustServeAtOnce(member.index, target);
  world.trace(() => `m${member.index} ${target || 'own'}: getToken ${wish} ${current?.value ?? ''}${atOnce ? ' (at once)' : ''}`);
  const pending = source.getToken({
    ...(current !== undefined && { invalidToken: current }),
    ...(minValidMs !== undefined && { minValidMs }),
    ...(wish === 'aborted' && { signal: controller.signal }),
  });
  let settled = false;
  let abortedAt: number | undefined;
  if (wish === 'aborted') {
    const abort = (): void => {
      if (settled) return;
      abortedAt = clock.monotonicMs();
      controller.abort(reason);
    };
    if (random.chance(0.2)) abort();
    else void clock.sleep(random.weighted({ soon: 1, late: 1 }, 'soon') === 'soon' ? random.between(0, 50) : random.between(0, 20_000)).then(abort);
  }
  try {
    const token = await pending;
    settled = true;
    world.trace(() => `m${member.index} ${target || 'own'}: got ${token.value}`);
    if (disposed) world.violation('a disposed manager answered');
    if (abortedAt !== undefined && abortedAt > began.mono) world.violation('an aborted caller got a token');
    oracle.handedOut(member.index, target, token, { notBefore, invalid: current?.value });
  } catch (error) {
    settled = true;
    world.trace(() => `m${member.index} ${target || 'own'}: failed ${isTokenError(error) ? error.code : String(error)}`);
    if (atOnce && !member.disposed) world.violation('a caller failed though the token was good');
    // What was decided before the abort, in the same instant, stands.
    if (abortedAt !== undefined && (abortedAt > began.mono || !isTokenError(error))) {
      if (error !== reason) world.violation('an aborted caller did not get its own reason');
    } else if (!isTokenError(error)) world.violation(`a caller got ${String(error)}`);
    else if (disposed && error.code !== 'disposed') world.violation(`a disposed manager failed with ${error.code}`);
    else if (error.code === 'disposed' && !member.disposed) world.violation('disposed, before it was');
  }
  const tookMs = clock.monotonicMs() - began.mono;
  if (atOnce && tookMs > 0) world.violation(`a caller waited ${tookMs} ms though the token was good`);
  if (disposed && tookMs > 0) world.violation('a disposed manager let a caller wait');
  if (abortedAt !== undefined && clock.monotonicMs() > abortedAt) world.violation('an aborted caller went on waiting');
  const limitMs = callerMs + (world.plan.store === 'hostile' || world.plan.store === 'slow' ? 2 * storeMs : 0);
  if (tookMs > limitMs) world.violation(`a caller waited ${tookMs} ms`);
}

/** One API call through the auth fetch. */
export async function callApi(world: World, member: Member): Promise<void> {
  const [own, ...others] = member.sources;
  if (own === undefined) return;
  const { fetch, target } = world.random.pick(own, ...others);
  world.trace(() => `m${member.index} ${target || 'own'}: API call`);
  try {
    await fetch('https://api.test/things');
  } catch (error) {
    if (!isTokenError(error)) world.violation(`an API call failed with ${String(error)}`);
  }
}

/** Something happens to the world. */
export async function disturb(world: World, member: Member): Promise<void> {
  const { plan, random, clock, server, oracle } = world;
  const what = random.weighted(
    {
      weather: plan.weatherChanges ? 6 : 0,
      forward: plan.clockJumps ? 1 : 0,
      back: plan.clockJumps ? 1 : 0,
      sleep: plan.clockJumps ? 1 : 0,
      apiRevokes: plan.apiRevokes ? 3 : 0,
      clear: plan.endings ? 1 : 0,
      revoke: plan.endings ? 0.5 : 0,
      dispose: plan.endings ? 0.5 : 0,
      administrator: plan.endings ? 0.3 : 0,
    },
    'weather',
  );
  world.trace(() => `m${member.index} ${what}`);
  if (what === 'forward' || what === 'back' || what === 'sleep') oracle.clocksMoved();
  switch (what) {
    case 'weather':
      if (plan.weatherChanges) world.weather = random.chance(0.5) ? 'fine' : random.pick(...weathers);
      world.trace(() => `weather: ${world.weather}`);
      return;
    case 'forward':
      return clock.jumpWall(random.pick(2_000, 60_000, 3_600_000, 86_400_000));
    case 'back':
      return clock.jumpWall(-random.pick(2_000, 60_000, 3_600_000, 86_400_000));
    case 'sleep':
      return clock.suspend(random.pick(2_000, 60_000, 7_200_000));
    case 'apiRevokes': {
      server.revokeLatest();
      return;
    }
    case 'administrator':
      oracle.administratorEnded = true;
      server.alive = false;
      return;
    case 'clear':
    case 'revoke':
      return forget(world, member, what);
    case 'dispose':
      member.disposed = true;
      return member.manager.dispose();
  }
}

async function forget(world: World, member: Member, how: 'clear' | 'revoke'): Promise<void> {
  if (!member.disposed) {
    for (const target of member.asked) member.notBefore.set(target, world.oracle.order);
    world.oracle.forgotten(member.index);
  }
  try {
    await member.manager[how]();
  } catch (error) {
    const expected = isTokenError(error) && (error.code === 'disposed' ? member.disposed : how === 'revoke' || error.code === 'store_unavailable');
    if (!expected) world.violation(`${how}() failed with ${String(error)}`);
  }
  world.oracle.forgottenByAll();
}

// One contestant in a process of its own. What it measures is asked for over IPC, so that the rounds of all can be interleaved.
import { contestants } from '../contestants.ts';
import { type Client, type Surroundings, tokenText } from '../contestant.ts';
import { serve } from './child.ts';
import { seeded } from './random.ts';

/** What a worker can be asked for; answers are below, by the same names. */
export type WorkerMessage =
  | { readonly do: 'open'; readonly contestant: string; readonly surroundings: Surroundings }
  | { readonly do: 'answerInProcess'; readonly spreadMs: number; readonly seed: number; readonly tokens: boolean }
  | { readonly do: 'getTokenRound'; readonly calls: number }
  | { readonly do: 'coldRound'; readonly calls: number }
  | { readonly do: 'callRound'; readonly calls: number; readonly atOnce: number; readonly url: string }
  | { readonly do: 'bytes'; readonly calls: number }
  | { readonly do: 'stampede'; readonly callers: number }
  | { readonly do: 'openLoad'; readonly url: string; readonly everyMs: number; readonly forMs: number; readonly waitMs: number }
  | { readonly do: 'storm'; readonly calls: number; readonly url: string }
  | { readonly do: 'hold'; readonly count: number };

export interface RoundFigures {
  /** CPU time of the whole process, garbage collection and compilation included, per call. */
  readonly cpuNs: number;
  readonly wallNs: number;
}
export interface StampedeFigures {
  readonly ms: number;
  readonly failed: number;
}
export interface LoadFigures {
  readonly calls: number;
  readonly waits: number;
  readonly failed: number;
  readonly longestMs: number;
}
export interface HoldFigures {
  readonly bytesPerTarget: number;
  readonly timers: number;
}

let client: Client = {};

serve(async (message: WorkerMessage): Promise<unknown> => {
  switch (message.do) {
    case 'open': {
      const entry = contestants.find(({ name }) => name === message.contestant);
      if (entry === undefined) throw new Error(`no contestant "${message.contestant}"`);
      client = await (await entry.load()).open(message.surroundings);
      return undefined;
    }
    case 'answerInProcess':
      return answerInProcess(message);
    case 'getTokenRound':
      return measured(message.calls, async () => {
        const getToken = member('getToken');
        for (let call = 0; call < message.calls; call++) await getToken();
      });
    case 'coldRound':
      return measured(message.calls, async () => {
        const coldToken = member('coldToken');
        for (let call = 0; call < message.calls; call++) await coldToken();
      });
    case 'callRound':
      return measured(message.calls, () => callAll(message.calls, message.atOnce, message.url));
    case 'bytes':
      return bytes(message.calls);
    case 'stampede':
      return stampede(message.callers);
    case 'openLoad':
      return openLoad(message);
    case 'storm':
      return storm(message);
    case 'hold':
      return hold(message.count);
  }
});

function member<Name extends keyof Client>(name: Name): NonNullable<Client[Name]> {
  const found = client[name];
  if (found === undefined) throw new Error(`the contestant has no ${name}`);
  return found;
}

async function measured(calls: number, work: () => Promise<void>): Promise<RoundFigures> {
  const cpu = process.cpuUsage();
  const start = process.hrtime.bigint();
  await work();
  const wallNs = Number(process.hrtime.bigint() - start);
  const { user, system } = process.cpuUsage(cpu);
  return { cpuNs: ((user + system) * 1000) / calls, wallNs: wallNs / calls };
}

async function callAll(calls: number, atOnce: number, url: string): Promise<void> {
  const call = member('call');
  let left = calls;
  const lane = async (): Promise<void> => {
    while (left-- > 0) {
      const status = await call(url);
      if (status !== 200) throw new Error(`the API answered ${status}`);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
}

// The young generation of this process is larger than what the calls allocate: nothing is collected between the two looks.
async function bytes(calls: number): Promise<number> {
  const getToken = member('getToken');
  for (let call = 0; call < 20_000; call++) await getToken();
  globalThis.gc?.();
  const before = process.memoryUsage().heapUsed;
  for (let call = 0; call < calls; call++) await getToken();
  return (process.memoryUsage().heapUsed - before) / calls;
}

async function stampede(callers: number): Promise<StampedeFigures> {
  const getToken = member('getToken');
  const start = performance.now();
  const settled = await Promise.allSettled(Array.from({ length: callers }, () => getToken()));
  return { ms: performance.now() - start, failed: settled.filter(({ status }) => status === 'rejected').length };
}

// An open load: calls begin when they are due, whether or not the ones before them came back.
async function openLoad({ url, everyMs, forMs, waitMs }: { url: string; everyMs: number; forMs: number; waitMs: number }): Promise<LoadFigures> {
  const call = member('call');
  let failed = 0;
  let waits = 0;
  let longestMs = 0;
  let calls = 0;
  const running: Promise<void>[] = [];
  const one = async (): Promise<void> => {
    const start = performance.now();
    const status = await call(url).catch(() => 0);
    const tookMs = performance.now() - start;
    if (status !== 200) failed++;
    if (tookMs >= waitMs) waits++;
    longestMs = Math.max(longestMs, tookMs);
  };
  const start = performance.now();
  while (performance.now() - start < forMs) {
    for (; calls < (performance.now() - start) / everyMs; calls++) running.push(one());
    await new Promise((resolve) => setTimeout(resolve, everyMs));
  }
  await Promise.all(running);
  return { calls, waits, failed, longestMs };
}

// Stands behind the global fetch. Once `revoked`, whatever token the first call carried is refused from then on.
const inProcess = { first: '', isRevoked: false };

function answerInProcess({ spreadMs, seed, tokens }: { spreadMs: number; seed: number; tokens: boolean }): void {
  const network = globalThis.fetch;
  const random = seeded(seed);
  let serial = 0;
  globalThis.fetch = async (input: RequestInfo | URL, init?: RequestInit): Promise<Response> => {
    const url = input instanceof Request ? input.url : String(input);
    if (tokens && url.endsWith('/token')) return Response.json({ access_token: tokenText(++serial), token_type: 'Bearer', expires_in: 3600 });
    if (!url.startsWith('https://api.test')) return network(input, init);
    // As every fetch does first.
    const sent = new Request(input, init).headers.get('authorization') ?? '';
    inProcess.first ||= sent;
    const isRefused = inProcess.isRevoked && sent === inProcess.first;
    if (isRefused) await new Promise((resolve) => setTimeout(resolve, random() * spreadMs));
    return isRefused
      ? new Response('{}', { status: 401, headers: { 'www-authenticate': 'Bearer error="invalid_token"' } })
      : new Response('{}', { headers: { 'content-type': 'application/json' } });
  };
}

async function storm({ calls, url }: { calls: number; url: string }): Promise<StampedeFigures> {
  const call = member('call');
  if ((await call(url)) !== 200) throw new Error('the first call failed');
  inProcess.isRevoked = true;
  const start = performance.now();
  const settled = await Promise.allSettled(Array.from({ length: calls }, () => call(url)));
  const failed = settled.filter((result) => result.status === 'rejected' || result.value !== 200).length;
  return { ms: performance.now() - start, failed };
}

async function hold(count: number): Promise<HoldFigures> {
  const keep = member('hold');
  const timersOf = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
  const used = async (): Promise<number> => {
    // Finalizers and closed connections need a turn.
    for (let turn = 0; turn < 3; turn++) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      globalThis.gc?.();
    }
    return process.memoryUsage().heapUsed;
  };
  // Code, feedback and connections are paid once, not per target.
  await keep(Math.min(count, 200));
  const timersBefore = timersOf();
  const before = await used();
  const held = await keep(count);
  const after = await used();
  const timers = timersOf() - timersBefore;
  const tokens: unknown[] = Array.from({ length: count }, (_, serial) => JSON.parse(JSON.stringify({ access_token: tokenText(serial) }))['access_token']);
  const withTokens = await used();
  // Both are alive until here.
  const bytesOfTokens = tokens.length === count && held !== undefined ? withTokens - after : Number.NaN;
  return { bytesPerTarget: (after - before - bytesOfTokens) / count, timers };
}

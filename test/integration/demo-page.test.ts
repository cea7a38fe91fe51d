import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createServer, type IncomingMessage, request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { close, listen } from '../../examples/demo/authorization-server.js';
import { type LiveDemo, startLiveDemo, watchable } from '../../examples/demo/live-demo.js';

/** Sends exactly these headers, which `fetch` would not. */
async function send(url: string, method: string, headers: Record<string, string> = {}): Promise<IncomingMessage> {
  const sent = request(url, { method, headers, agent: false });
  sent.end();
  const [response]: IncomingMessage[] = await once(sent, 'response');
  if (!response) throw new Error('no response');
  response.resume();
  return response;
}

describe('the server of the demo page', () => {
  let demo: LiveDemo;
  let origin: string;
  beforeAll(async () => {
    demo = await startLiveDemo({ ...watchable, port: 0 });
    origin = new URL(demo.url).origin;
  });
  afterAll(() => demo.close());

  it('sends every file with a policy that allows nothing from elsewhere and nothing inline', async () => {
    for (const file of ['', 'page.css', 'timeline.css', 'page.js', 'timeline.js', 'log.js', 'icon.svg']) {
      const response = await fetch(demo.url + file);
      expect([file, response.status]).toEqual([file, 200]);
      expect(response.headers.get('content-security-policy')).toBe("default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'");
      expect(response.headers.get('x-content-type-options')).toBe('nosniff');
      expect(await response.text()).not.toMatch(/\sstyle=|<style|<script(?![^>]*src=)|\son\w+=/);
    }
  });

  it.each(['main.ts', '../main.ts', '%2e%2e/main.ts', 'page/', 'constructor', 'favicon.ico'])('has no file %s', async (path) => {
    expect((await send(`${origin}/${path}`, 'GET')).statusCode).toBe(404);
  });

  it.each([
    ['another page', { origin: 'https://evil.example' }],
    ['a page of this machine at another port', { origin: 'http://127.0.0.1:1' }],
    ['a page without an origin', { origin: 'null' }],
    ['whoever names no origin', {}],
  ])('presses no button for %s', async (_who, headers: Record<string, string>) => {
    expect((await send(`${origin}/trouble/slow`, 'POST', headers)).statusCode).toBe(403);
  });

  it('presses its buttons for its own page, and only with POST', async () => {
    expect((await send(`${origin}/trouble/slow`, 'POST', { origin })).statusCode).toBe(204);
    expect((await send(`${origin}/trouble/normal`, 'POST', { origin })).statusCode).toBe(204);
    expect((await send(`${origin}/trouble/slow`, 'GET', { origin })).statusCode).toBe(405);
    expect((await send(`${origin}/trouble/constructor`, 'POST', { origin })).statusCode).toBe(404);
  });

  it('answers to no name but its own, so that no foreign name can be pointed at it', async () => {
    const { host } = new URL(origin);
    expect((await send(`${origin}/events`, 'GET', { host: `evil.example:${new URL(origin).port}` })).statusCode).toBe(403);
    expect((await send(`${origin}/`, 'GET', { host })).statusCode).toBe(200);
  });

  it('can be reached from this machine alone', async () => {
    const addresses = Object.values(networkInterfaces())
      .flatMap((list) => list ?? [])
      .filter(({ family, internal }) => family === 'IPv4' && !internal);
    for (const { address } of addresses) {
      const socket: Socket = connect(Number(new URL(origin).port), address);
      const outcome = await Promise.race([once(socket, 'connect').then(() => 'connected'), once(socket, 'error').then(() => 'refused')]).catch(() => 'refused');
      socket.destroy();
      expect(outcome).toBe('refused');
    }
  });
});

describe('npm start', () => {
  const running: ChildProcess[] = [];
  afterAll(() => {
    for (const child of running) child.kill('SIGKILL');
  });

  /** Starts it, and gives its first lines as soon as they name the page. */
  async function start(env: Record<string, string>): Promise<{ child: ChildProcess; url: string; output: () => string }> {
    const { VITEST: _vitest, NODE_OPTIONS: _options, PORT: _port, ...inherited } = process.env;
    const child = spawn(process.execPath, ['examples/demo/main.ts'], { env: { ...inherited, ...env }, stdio: 'pipe' });
    running.push(child);
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
    let url: string | undefined;
    while (url === undefined) {
      await once(child.stdout, 'data');
      url = /http:\/\/127\.0\.0\.1:\d+\//.exec(output.split('\n').slice(0, 5).join('\n'))?.[0];
    }
    return { child, url, output: () => output };
  }

  it('names the page in its first lines, also when the usual port is taken, and ends with its books at Ctrl-C', async () => {
    const first = await start({});
    const second = await start({});
    expect(second.url).not.toBe(first.url);
    for (const { url, child, output } of [first, second]) {
      expect(await (await fetch(url)).text()).toContain('<h1>Make this service fail</h1>');
      child.kill('SIGINT');
      expect(await once(child, 'exit')).toEqual([0, null]);
      expect(output()).toMatch(/failed calls +0\n/);
    }
  });

  it('names on the terminal and on the page what else can be run, by commands that exist', async () => {
    const { url, child, output } = await start({});
    const page = await (await fetch(url)).text();
    const named = [...page.matchAll(/<code>(node examples\/[^<]+)<\/code>/g)].map(([, command = '']) => command);
    expect(named.map((command) => command.split('/')[1])).toEqual(['fleet', 'accounts', 'bff']);
    for (const command of named) {
      expect(output()).toContain(command);
      expect(existsSync(command.split(' ')[1] ?? '')).toBe(true);
    }
    child.kill('SIGINT');
    await once(child, 'exit');
  });

  it('serves the page at PORT, and says so when that is taken', async () => {
    const blocker = createServer();
    const port = await listen(blocker);
    const child = spawn(process.execPath, ['examples/demo/main.ts'], { env: { ...process.env, PORT: String(port) }, stdio: 'pipe' });
    running.push(child);
    let errors = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      errors += text;
    });
    expect(await once(child, 'close')).toEqual([1, null]);
    expect(errors).toContain(`The page cannot be served: listen EADDRINUSE: address already in use 127.0.0.1:${port}`);
    await close(blocker);
    const { url, child: other } = await start({ PORT: String(port) });
    expect(url).toBe(`http://127.0.0.1:${port}/`);
    other.kill('SIGINT');
    await once(other, 'exit');
  });
});

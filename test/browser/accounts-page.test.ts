import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { Browser, Locator, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { close, listen } from '../../examples/demo/authorization-server.js';
import { leastContrast } from './support/least-contrast.js';
import { launch } from './support/tabs.js';

let program: ChildProcess;
let browser: Browser;
let url: string;

beforeAll(async () => {
  const probe = createServer();
  const port = await listen(probe);
  await close(probe);
  const { VITEST: _vitest, NODE_OPTIONS: _options, ...env } = process.env;
  const child = spawn(process.execPath, ['examples/accounts/main.ts', '--page'], { env: { ...env, PORT: String(port) }, stdio: ['ignore', 'pipe', 'inherit'] });
  program = child;
  url = `http://127.0.0.1:${port}/`;
  const [[said], started] = await Promise.all([once(child.stdout, 'data'), launch()]);
  browser = started;
  expect(String(said)).toContain(url);
});

afterAll(async () => {
  await browser?.close();
  const gone = once(program, 'exit');
  program.kill('SIGINT');
  expect(await gone).toEqual([0, null]);
});

describe('the list of examples/accounts', () => {
  it('shows customers who connect, a process killed in mid-refresh, who needs a reconnect and why, and refuses somebody else [A32, R14]', async () => {
    const complaints: string[] = [];
    const page = await browser.newPage();
    page.on('console', (message) => complaints.push(`${message.type()}: ${message.text()}`));
    page.on('pageerror', (error) => complaints.push(String(error)));
    await page.goto(url);
    const row = (name: string): Locator => page.getByRole('listitem').filter({ hasText: name });
    const becomes = (name: string, state: string): Promise<void> => row(name).getByText(state, { exact: true }).waitFor();
    const press = (name: string, label: string): Promise<void> => row(name).getByRole('button', { name: label }).click();
    for (const name of ['acme', 'beta', 'corp']) {
      await becomes(name, 'not connected');
      await row(name).getByRole('link', { name: 'Connect' }).click();
      await becomes(name, 'healthy');
    }
    await becomes('delta', 'not connected');

    await press('acme', 'Kill a process in mid-refresh');
    await becomes('acme', 'renewing');
    await page.getByText('acme: done.').waitFor();
    await becomes('acme', 'renewing');
    await press('acme', 'Renew its token');
    await becomes('acme', 'healthy');

    await press('beta', 'End the grant at the server');
    await page.getByText('beta: done.').waitFor();
    await press('beta', 'Renew its token');
    await becomes('beta', 'needs a reconnect (grant_revoked)');
    await look(page);
    await row('beta').getByRole('link', { name: 'Connect as mallory' }).click();
    await page.getByText('That account was not connected: subject_mismatch.').waitFor();
    await becomes('beta', 'needs a reconnect (grant_revoked)');
    await row('beta').getByRole('link', { name: 'Connect again' }).click();
    await becomes('beta', 'healthy');

    await press('corp', 'Disconnect');
    await becomes('corp', 'not connected');
    expect(complaints).toEqual([]);
  });

  it('obeys no other page', async () => {
    for (const origin of ['https://evil.example', 'null', undefined]) {
      const response = await fetch(`${url}disconnect?customer=acme`, { method: 'POST', headers: { ...(origin && { origin }) } });
      expect(response.status).toBe(403);
    }
  });
});

/** Readable in light and dark, narrow and wide, with all states on it. */
async function look(page: Page): Promise<void> {
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme });
    for (const width of [360, 1280]) {
      await page.setViewportSize({ width, height: 800 });
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(width);
      const { ratio, where } = await page.evaluate(leastContrast);
      expect(ratio, where).toBeGreaterThanOrEqual(4.5);
    }
  }
}

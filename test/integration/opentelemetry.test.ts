import { context } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { AggregationTemporality, InMemoryMetricExporter, MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { clientSecretBasic, memoryStore, type TokenStore } from 'tokenkeep';
import { createServiceClient } from 'tokenkeep/server';
import { fakeAuthorizationServer } from 'tokenkeep/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { observeTokenkeep } from '../../examples/opentelemetry/observe.js';
import { runNode } from '../support/run.js';
import { leaks } from '../unit/core/leaks.js';
import { firm } from '../unit/server/accounts-support.js';

const secret = 'secret-of-billing-7xQ';
const about = { 'server.address': 'as.test', 'tokenkeep.client.id': 'billing' };

describe('examples/opentelemetry', () => {
  let spans: InMemorySpanExporter;
  let tracers: BasicTracerProvider;
  let meters: MeterProvider;
  let reader: PeriodicExportingMetricReader;
  let stop: () => void;
  beforeEach(() => {
    context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
    spans = new InMemorySpanExporter();
    tracers = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] });
    reader = new PeriodicExportingMetricReader({ exporter: new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE), exportIntervalMillis: 3_600_000 });
    meters = new MeterProvider({ readers: [reader] });
    stop = observeTokenkeep({ tracer: tracers.getTracer('test'), meter: meters.getMeter('test') });
  });
  afterEach(async () => {
    stop();
    context.disable();
    await Promise.all([tracers.shutdown(), meters.shutdown()]);
  });

  function services(store?: TokenStore) {
    const server = fakeAuthorizationServer({ clients: { billing: secret } });
    const make = () => createServiceClient({ server: server.metadata, clientId: 'billing', auth: clientSecretBasic(secret), fetch: server.fetch, store });
    return { server, make };
  }

  /** `name in parent`, of all spans that have ended. */
  function tree(): string[] {
    const ended = spans.getFinishedSpans();
    const names = new Map(ended.map((span) => [span.spanContext().spanId, span.name]));
    return ended.map(({ name, parentSpanContext }) => `${name} in ${names.get(parentSpanContext?.spanId ?? '') ?? 'nothing'}`);
  }

  async function points(name: string): Promise<{ readonly attributes: object; readonly value: unknown; readonly unit: string }[]> {
    const { resourceMetrics } = await reader.collect();
    const found = resourceMetrics.scopeMetrics.flatMap((scope) => scope.metrics).filter(({ descriptor }) => descriptor.name === name);
    return found.flatMap(({ descriptor, dataPoints }) => dataPoints.map(({ attributes, value }) => ({ attributes, value, unit: descriptor.unit })));
  }

  it('puts the waits into the trace of their caller, the renewal into the wait that began it, and the lock into the renewal', async () => {
    const client = services().make();
    await tracers.getTracer('app').startActiveSpan('GET /orders', async (span) => {
      await Promise.all([client.tokens.getToken(), client.tokens.getToken()]);
      span.end();
    });
    expect(tree().sort()).toEqual([
      'GET /orders in nothing',
      'tokenkeep.lock in tokenkeep.renewal',
      'tokenkeep.renewal in tokenkeep.wait',
      'tokenkeep.wait in GET /orders',
      'tokenkeep.wait in GET /orders',
    ]);
    expect(spans.getFinishedSpans().find(({ name }) => name === 'tokenkeep.renewal')?.attributes).toEqual({
      ...about,
      'tokenkeep.target': 'default',
      'tokenkeep.renewal.reason': 'missing',
      'tokenkeep.renewal.background': false,
      'tokenkeep.renewal.source': 'server',
    });
    await client.dispose();
  });

  it('counts renewals, adopted results, failures by kind, waits and locks, and tells the age of the token', async () => {
    const { server, make } = services(memoryStore());
    const [one, other] = [make(), make()];
    const first = await one.tokens.getToken();
    await other.tokens.getToken();
    await one.tokens.getToken({ invalidToken: first });
    const second = await other.tokens.getToken({ invalidToken: first });
    server.set({ error: 'invalid_client' });
    await expect(one.tokens.getToken({ invalidToken: second })).rejects.toThrow();
    const renewal = { ...about, 'tokenkeep.renewal.background': false };
    const counted = (await points('tokenkeep.renewal.duration')).map(({ attributes, value, unit }) => ({ attributes, count: Object(value).count, unit }));
    expect(counted).toEqual([
      { attributes: { ...renewal, 'tokenkeep.renewal.reason': 'missing', 'tokenkeep.renewal.source': 'server' }, count: 1, unit: 's' },
      { attributes: { ...renewal, 'tokenkeep.renewal.reason': 'refused', 'tokenkeep.renewal.source': 'server' }, count: 1, unit: 's' },
      { attributes: { ...renewal, 'tokenkeep.renewal.reason': 'refused', 'tokenkeep.renewal.source': 'store' }, count: 1, unit: 's' },
      {
        attributes: { ...renewal, 'tokenkeep.renewal.reason': 'refused', 'error.type': 'client_rejected', 'tokenkeep.error.kind': 'configuration' },
        count: 1,
        unit: 's',
      },
    ]);
    expect((await points('tokenkeep.wait.duration')).map(({ value }) => Object(value).count)).toEqual([4, 1]);
    expect((await points('tokenkeep.lock.wait.duration')).map(({ attributes, value }) => [attributes, Object(value).count])).toEqual([
      [{ ...about, 'tokenkeep.lock.acquired': true }, 4],
    ]);
    const [age] = await points('tokenkeep.token.age');
    expect(age).toMatchObject({ attributes: { ...about, 'tokenkeep.target': 'default' }, unit: 's' });
    expect(age?.value).toBeGreaterThanOrEqual(0);
    expect(age?.value).toBeLessThan(30);
    const failed = spans.getFinishedSpans().filter(({ status }) => status.code === 2);
    expect(failed.map(({ name, attributes }) => [name, attributes['error.type']])).toEqual([
      ['tokenkeep.renewal', 'client_rejected'],
      ['tokenkeep.wait', 'client_rejected'],
    ]);
    await Promise.all([one.dispose(), other.dispose()]);
  });

  it('counts failures of the store, and shows no secret and no token [S6]', async () => {
    const broken: TokenStore = { ...memoryStore(), get: () => Promise.reject(new Error(`down, with ${secret}`)) };
    const client = services(broken).make();
    const { value } = await client.tokens.getToken();
    expect(await points('tokenkeep.store.errors')).toMatchObject([
      { attributes: { ...about, 'error.type': 'store_unavailable', 'tokenkeep.error.kind': 'transient' }, unit: '{error}' },
    ]);
    const all = JSON.stringify(spans.getFinishedSpans().map(({ name, attributes, events, status }) => ({ name, attributes, events, status })));
    const { resourceMetrics } = await reader.collect();
    expect(leaks(all + JSON.stringify(resourceMetrics.scopeMetrics), [value, secret])).toEqual([]);
    await client.dispose();
  });

  it('names accounts in spans alone, and counts those that need a reconnect', async () => {
    const { accounts, connect, server, clock } = firm();
    await connect('acme');
    await clock.advance(7_200_000);
    await accounts.account('acme').getToken();
    server.set({ error: 'invalid_grant' });
    await clock.advance(7_200_000);
    await expect(accounts.account('acme').getToken()).rejects.toThrow();
    const own = { 'server.address': 'as.test', 'tokenkeep.client.id': 'client' };
    expect(tree().sort()).toEqual(
      [1, 2].flatMap(() => ['tokenkeep.lock in tokenkeep.renewal', 'tokenkeep.renewal in tokenkeep.wait', 'tokenkeep.wait in nothing']).sort(),
    );
    for (const { name, attributes } of spans.getFinishedSpans())
      expect(attributes['tokenkeep.account.id']).toBe(name === 'tokenkeep.lock' ? undefined : 'acme');
    expect(await points('tokenkeep.accounts.need_reconnect')).toEqual([{ attributes: { ...own, 'error.type': 'grant_revoked' }, value: 1, unit: '{account}' }]);
    expect(await points('tokenkeep.token.age')).toEqual([]);
    expect(JSON.stringify(await points('tokenkeep.renewal.duration'))).not.toContain('acme');
    await accounts.dispose();
  });

  it('observes nothing after its end', async () => {
    stop();
    const client = services().make();
    await client.tokens.getToken();
    expect([tree(), await points('tokenkeep.renewal.duration'), await points('tokenkeep.token.age')]).toEqual([[], [], []]);
    await client.dispose();
  });

  it('runs as a program, which prints spans and metrics and no token [S6]', async () => {
    const { code, output } = await runNode(['--no-warnings', 'examples/opentelemetry/main.ts']);
    expect(code, output).toBe(0);
    expect(output.match(/^span tokenkeep\.wait, in GET \/invoices:/gm)).toHaveLength(6);
    expect(output).toContain('span tokenkeep.renewal, in tokenkeep.wait:');
    expect(output).toMatch(/^metric tokenkeep\.renewal\.duration: 1 times .*"error\.type":"client_rejected"/m);
    expect(output).not.toMatch(/not-a-real-secret|at-/);
  });
});

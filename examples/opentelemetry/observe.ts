// Turns what tokenkeep publishes on node:diagnostics_channel into spans and metrics of OpenTelemetry. Copy it: it is all there is to it.
import { AsyncLocalStorage } from 'node:async_hooks';
import { subscribe, tracingChannel, unsubscribe } from 'node:diagnostics_channel';
import { type Attributes, type Context, context, metrics, type Meter, type Span, SpanStatusCode, type Tracer, trace } from '@opentelemetry/api';
import { ATTR_ERROR_TYPE, ATTR_SERVER_ADDRESS } from '@opentelemetry/semantic-conventions';
import type { ClientMessage, EventMessage, LockMessage, RenewalMessage, WaitMessage } from 'tokenkeep/server';

export interface ObserveOptions {
  /** @default the global provider's */
  readonly tracer?: Tracer | undefined;
  readonly meter?: Meter | undefined;
}

interface Running {
  readonly span: Span;
  readonly began: number;
}

// What the conventions advise for durations of requests, in seconds.
const advice = { explicitBucketBoundaries: [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10] };
const seconds = { unit: 's', advice };

/** Begins to observe every service client and all connected accounts of this process; returns what ends it. */
export function observeTokenkeep({ tracer = trace.getTracer('tokenkeep'), meter = metrics.getMeter('tokenkeep') }: ObserveOptions = {}): () => void {
  const renewals = meter.createHistogram('tokenkeep.renewal.duration', { ...seconds, description: 'Renewals of tokens, by what came of them.' });
  const waits = meter.createHistogram('tokenkeep.wait.duration', { ...seconds, description: 'How long callers waited for a token.' });
  const locks = meter.createHistogram('tokenkeep.lock.wait.duration', { ...seconds, description: 'How long renewals waited for their lock.' });
  const storeErrors = meter.createCounter('tokenkeep.store.errors', { unit: '{error}', description: 'Calls of the store that failed.' });
  const lost = meter.createCounter('tokenkeep.accounts.need_reconnect', { unit: '{account}', description: 'Accounts whose owners have to connect again.' });
  const age = meter.createObservableGauge('tokenkeep.token.age', { unit: 's', description: 'How long ago the current token was requested.' });

  // A renewal belongs to the wait that began it, or else to what the application was doing.
  const spans = new AsyncLocalStorage<Span>();
  const current = (): Context => {
    const parent = spans.getStore();
    return parent ? trace.setSpan(context.active(), parent) : context.active();
  };

  const tokens = new Map<string, readonly [issuedAt: number, attributes: Attributes]>();
  age.addCallback((result) => {
    for (const [issuedAt, attributes] of tokens.values()) result.observe((Date.now() - issuedAt) / 1000, attributes);
  });

  function traced<T extends WaitMessage>(name: string, attributesOf: (message: T) => Attributes, ended: (message: T, tookS: number) => void): () => void {
    const traces = tracingChannel(name);
    const running = new WeakMap<object, Running>();
    // The span begins here, so that all that happens in the task finds it.
    traces.start.bindStore(spans, (message: unknown) => {
      const span = tracer.startSpan(name, { attributes: attributesOf(message as T) }, current());
      running.set(Object(message), { span, began: performance.now() });
      return span;
    });
    const asyncEnd = (message: unknown): void => {
      const { span, began } = running.get(Object(message)) ?? {};
      if (!span || began === undefined) return;
      const { error } = message as T;
      span.setAttributes({ ...attributesOf(message as T), ...failure(error) });
      if (error) span.setStatus({ code: SpanStatusCode.ERROR, message: error.message });
      span.end();
      ended(message as T, (performance.now() - began) / 1000);
    };
    // Without a subscriber to its end a channel is not traced.
    traces.asyncEnd.subscribe(asyncEnd);
    return () => {
      traces.start.unbindStore(spans);
      traces.asyncEnd.unsubscribe(asyncEnd);
    };
  }

  const onLock = (message: unknown): void => {
    const { waitedMs, acquired, ...client } = message as LockMessage;
    const attributes = { ...about(client), 'tokenkeep.lock.acquired': acquired };
    const startTime = Date.now() - waitedMs;
    tracer.startSpan('tokenkeep.lock', { attributes, startTime }, current()).end();
    locks.record(waitedMs / 1000, attributes);
  };

  const onEvent = (message: unknown): void => {
    const { event, ...client } = message as EventMessage;
    if (event.type === 'storage_error') storeErrors.add(1, { ...about(client), ...failure(event.error) });
    if (event.type === 'needs_reconnect') lost.add(1, { ...about(client), [ATTR_ERROR_TYPE]: event.reason });
  };

  const stops = [
    traced<WaitMessage>('tokenkeep.wait', withTarget, (message, tookS) => waits.record(tookS, { ...about(message), ...failure(message.error) })),
    traced<RenewalMessage>(
      'tokenkeep.renewal',
      (message) => ({ ...withTarget(message), ...howRenewed(message) }),
      (message, tookS) => {
        renewals.record(tookS, { ...about(message), ...howRenewed(message), ...failure(message.error) });
        // Of accounts there may be thousands: the gauge has the tokens of services.
        if (message.issuedAt !== undefined && message.accountId === undefined)
          tokens.set(JSON.stringify([message.issuer, message.clientId, message.target]), [message.issuedAt, withTarget(message)]);
      },
    ),
  ];
  subscribe('tokenkeep.lock', onLock);
  subscribe('tokenkeep.event', onEvent);
  return () => {
    for (const stop of stops) stop();
    unsubscribe('tokenkeep.lock', onLock);
    unsubscribe('tokenkeep.event', onEvent);
    tokens.clear();
  };
}

function about({ issuer, clientId }: ClientMessage): Attributes {
  return { [ATTR_SERVER_ADDRESS]: new URL(issuer).hostname, 'tokenkeep.client.id': clientId };
}

// Targets and accounts may be many: spans name them, and the gauge of ages names targets; the histograms do not.
function withTarget(message: WaitMessage): Attributes {
  const { target, accountId } = message;
  return { ...about(message), 'tokenkeep.target': target, ...(accountId !== undefined && { 'tokenkeep.account.id': accountId }) };
}

function howRenewed({ reason, background, source }: RenewalMessage): Attributes {
  return { 'tokenkeep.renewal.reason': reason, 'tokenkeep.renewal.background': background, ...(source && { 'tokenkeep.renewal.source': source }) };
}

function failure(error: WaitMessage['error']): Attributes {
  return error ? { [ATTR_ERROR_TYPE]: error.code, 'tokenkeep.error.kind': error.kind } : {};
}

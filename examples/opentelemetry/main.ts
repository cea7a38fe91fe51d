// A service whose tokens are watched: five callers, a token that an API refuses, an outage. Prints the spans and metrics that come of it.
import { context, metrics, trace } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { AggregationTemporality, InMemoryMetricExporter, MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';
import { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { clientSecretBasic } from 'tokenkeep';
import { createServiceClient } from 'tokenkeep/server';
import { fakeAuthorizationServer } from 'tokenkeep/testing';
import { observeTokenkeep } from './observe.ts';

// Your own set-up of OpenTelemetry stands here, with exporters that send.
const spans = new InMemorySpanExporter();
const reader = new PeriodicExportingMetricReader({ exporter: new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE), exportIntervalMillis: 3_600_000 });
const meterProvider = new MeterProvider({ readers: [reader] });
context.setGlobalContextManager(new AsyncLocalStorageContextManager().enable());
trace.setGlobalTracerProvider(new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(spans)] }));
metrics.setGlobalMeterProvider(meterProvider);

// The one line that a service needs.
const stop = observeTokenkeep();

const server = fakeAuthorizationServer({ clients: { billing: 'not-a-real-secret' } });
const client = createServiceClient({ server: server.metadata, clientId: 'billing', auth: clientSecretBasic('not-a-real-secret'), fetch: server.fetch });

await trace.getTracer('app').startActiveSpan('GET /invoices', async (span) => {
  const [token] = await Promise.all(Array.from({ length: 5 }, () => client.tokens.getToken()));
  await client.tokens.getToken({ invalidToken: token });
  span.end();
});
server.set({ error: 'invalid_client' });
await client.tokens.getToken({ invalidToken: await client.tokens.getToken() }).catch((error: unknown) => console.log(String(error)));

const names = new Map(spans.getFinishedSpans().map((span) => [span.spanContext().spanId, span.name]));
for (const { name, parentSpanContext, attributes } of spans.getFinishedSpans())
  console.log(`span ${name}, in ${names.get(parentSpanContext?.spanId ?? '') ?? 'nothing'}: ${JSON.stringify(attributes)}`);
const { resourceMetrics } = await reader.collect();
for (const { descriptor, dataPoints } of resourceMetrics.scopeMetrics.flatMap((scope) => scope.metrics)) {
  for (const { attributes, value } of dataPoints) {
    const shown = typeof value === 'object' && 'count' in value ? `${value.count} times` : `${value} ${descriptor.unit}`;
    console.log(`metric ${descriptor.name}: ${shown} ${JSON.stringify(attributes)}`);
  }
}
stop();
await client.dispose();
await meterProvider.shutdown();

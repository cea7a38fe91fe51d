import { isTokenError } from '../core/errors.js';
import type { HttpEvent } from '../core/events.js';
import type { RenewalTools } from '../manager/renewal-tools.js';
import { targetLabel } from '../manager/target-of.js';
import type { ClientMessage, EventMessage, HttpMessage, LockMessage, RenewalMessage, WaitMessage } from './diagnostics-messages.js';

interface Channel<T> {
  readonly hasSubscribers: boolean;
  publish(message: T): void;
}

interface TracingChannel<T> {
  readonly hasSubscribers: boolean;
  tracePromise<R>(task: () => Promise<R>, message: T): Promise<R>;
}

/** What is used of `node:diagnostics_channel`. */
interface DiagnosticsChannel {
  channel<T>(name: string): Channel<T>;
  tracingChannel<T>(name: string): TracingChannel<T>;
}

type Listener = ((event: HttpEvent) => void) | undefined;

/** Publishes what a client does, for whoever subscribes. Without a subscriber nothing is made, nor measured. */
export interface Diagnostics {
  readonly observed: (tools: RenewalTools) => RenewalTools;
  readonly http: (onEvent: Listener) => Listener;
  /** An event that no manager reports. */
  readonly event: (event: EventMessage['event']) => void;
}

/** Without the module, as in browsers, nothing is published. */
export function diagnosticsOf(client: ClientMessage): Diagnostics {
  const module = diagnosticsChannel();
  if (!module) return { observed: (tools) => tools, http: (onEvent) => onEvent, event: () => undefined };
  const http = module.channel<HttpMessage>('tokenkeep.http');
  const events = module.channel<EventMessage>('tokenkeep.event');
  return {
    observed: (tools) => observe(client, module, tools),
    http: (onEvent) =>
      onEvent !== undefined && typeof onEvent !== 'function'
        ? onEvent
        : (event) => {
            if (http.hasSubscribers) http.publish({ ...client, event });
            return onEvent?.(event);
          },
    event: (event) => events.hasSubscribers && events.publish({ ...client, event }),
  };
}

function observe(client: ClientMessage, module: DiagnosticsChannel, tools: RenewalTools): RenewalTools {
  const { clock, lock, report } = tools;
  const renewals = module.tracingChannel<RenewalMessage>('tokenkeep.renewal');
  const waits = module.tracingChannel<WaitMessage>('tokenkeep.wait');
  const locks = module.channel<LockMessage>('tokenkeep.lock');
  const events = module.channel<EventMessage>('tokenkeep.event');
  return {
    ...tools,

    renew(entry, flight, own) {
      if (!renewals.hasSubscribers) return tools.renew(entry, flight, own);
      const { reason, background } = flight;
      const message = { ...client, target: targetLabel(entry.target), reason, background };
      return traced(renewals, message, async () => {
        const token = await tools.renew(entry, flight, own);
        Object.assign(message, { source: flight.source, issuedAt: entry.stored?.wall, expiresAt: token.expiresAt });
        return token;
      });
    },

    wait: (entry, task) => (waits.hasSubscribers ? traced(waits, { ...client, target: targetLabel(entry.target) }, task) : task()),

    lock: {
      shared: lock.shared,
      async run(name, task, options) {
        if (!locks.hasSubscribers) return lock.run(name, task, options);
        const began = clock.monotonicMs();
        let had = false;
        const tell = (acquired: boolean): void => locks.publish({ ...client, waitedMs: clock.monotonicMs() - began, acquired });
        try {
          return await lock.run(
            name,
            (held) => {
              had = true;
              tell(true);
              return task(held);
            },
            options,
          );
        } catch (error) {
          if (!had) tell(false);
          throw error;
        }
      },
    },

    report(event) {
      report(event);
      if (events.hasSubscribers) events.publish({ ...client, event: { ...event, at: clock.now() } });
    },
  };
}

// What the channel is told is neither the token nor a foreign error: both may hold secrets.
async function traced<T, M>(channel: TracingChannel<M>, message: M, task: () => Promise<T>): Promise<T> {
  let outcome: (() => T) | undefined;
  const told = channel.tracePromise(async () => {
    try {
      const value = await task();
      outcome = () => value;
    } catch (error) {
      outcome = () => {
        throw error;
      };
      throw isTokenError(error) ? error : undefined;
    }
  }, message);
  await told.catch(() => undefined);
  if (!outcome) throw new Error('the channel ran nothing');
  return outcome();
}

// Not by an import: this file is loaded by every runtime.
function diagnosticsChannel(): DiagnosticsChannel | undefined {
  const process: unknown = Reflect.get(globalThis, 'process');
  const builtIn: unknown = Reflect.get(Object(process), 'getBuiltinModule');
  const module: unknown = typeof builtIn === 'function' ? Reflect.apply(builtIn, process, ['diagnostics_channel']) : undefined;
  return hasChannels(module) ? module : undefined;
}

function hasChannels(module: unknown): module is DiagnosticsChannel {
  const { channel, tracingChannel } = Object(module);
  return typeof channel === 'function' && typeof tracingChannel === 'function';
}

import type { Clock } from '../core/clock.js';
import type { ServerKnobs } from './server-knobs.js';

/** What became of the bodies that were streamed. */
export interface DeliveryCounts {
  /** Bytes of streamed bodies that the client took. */
  bytes: number;
  /** Streamed bodies that the client gave up. */
  cancelled: number;
}

const chunkBytes = 64 * 1024;
const oversizeBytes = 4 * 1024 * 1024;

/** The body of an answer in the way that the knobs have it arrive. */
export function deliveredBody(
  text: string,
  knobs: ServerKnobs,
  clock: Clock,
  signal: AbortSignal | undefined,
  counts: DeliveryCounts,
): string | ReadableStream<Uint8Array> {
  if (knobs.delivery === 'whole') return text;
  const bytes = new TextEncoder().encode(text);
  const chunks = chunksOf(bytes, knobs.delivery);
  let stop: (() => void) | undefined;
  return new ReadableStream<Uint8Array>(
    {
      start(controller) {
        const onAbort = () => controller.error(signal?.reason);
        signal?.addEventListener('abort', onAbort, { once: true });
        stop = () => signal?.removeEventListener('abort', onAbort);
        if (signal?.aborted) onAbort();
      },
      async pull(controller) {
        if (knobs.delivery === 'byteByByte' && knobs.byteDelayMs > 0) await clock.sleep(knobs.byteDelayMs, signal);
        const { value, done } = chunks.next();
        if (done === true) {
          stop?.();
          controller.close();
        } else if (value === undefined) {
          await new Promise<never>(() => undefined);
        } else {
          counts.bytes += value.length;
          controller.enqueue(value);
        }
      },
      cancel() {
        stop?.();
        counts.cancelled++;
      },
    },
    { highWaterMark: 0 },
  );
}

// An undefined chunk never arrives.
function* chunksOf(bytes: Uint8Array, delivery: ServerKnobs['delivery']): Generator<Uint8Array | undefined, void> {
  if (delivery === 'byteByByte') {
    for (const byte of bytes) yield Uint8Array.of(byte);
    return;
  }
  if (delivery === 'stalled') {
    yield bytes.slice(0, bytes.length >> 1);
    yield undefined;
    return;
  }
  // White space before the JSON text: valid all the way, if somebody reads so far.
  const padding = new Uint8Array(chunkBytes).fill(0x20);
  for (let sent = 0; delivery === 'endless' || sent < oversizeBytes; sent += chunkBytes) yield padding;
  yield bytes;
}

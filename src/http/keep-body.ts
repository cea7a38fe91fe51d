const keptBytes = 1_048_576;

/** The body of a request, kept for a second send. */
export interface KeptBody {
  /** What to send again; undefined when it cannot be (a stream, too long, not at its end yet). Ends the keeping. */
  take(): BodyInit | undefined;
}

/** A body as given in `init`: sent again by type. A stream cannot be. */
export function keepInit(body: BodyInit): KeptBody {
  const again =
    typeof body === 'string' ||
    body instanceof URLSearchParams ||
    body instanceof FormData ||
    body instanceof Blob ||
    body instanceof ArrayBuffer ||
    ArrayBuffer.isView(body);
  return { take: () => (again ? body : undefined) };
}

/** Whether a request carries a body; some browsers do not show it. */
export function hasBody(request: Request): boolean {
  return request.body === undefined ? !/^(?:GET|HEAD)$/.test(request.method) : request.body !== null;
}

/** The body of a `Request`, read from a clone beside the send, as far as `replayBody` allows. */
export function keepRequest(request: Request, replayBody: boolean | undefined): KeptBody {
  // A body that is used up is the caller's mistake; fetch says so.
  if (replayBody === false || request.bodyUsed) return { take: () => undefined };
  const limit = replayBody ? Infinity : keptBytes;
  const chunks: BlobPart[] = [];
  let complete = false;
  let stop = (): unknown => undefined;
  const read = async (clone: Request): Promise<void> => {
    if (!clone.body) {
      const buffer = await clone.arrayBuffer();
      complete = buffer.byteLength <= limit && chunks.push(buffer) > 0;
      return;
    }
    const reader = clone.body.getReader();
    stop = () => reader.cancel().catch(() => undefined);
    for (let length = 0; length <= limit; ) {
      const { done, value } = await reader.read();
      if (done) {
        complete = true;
        return;
      }
      length += value.byteLength;
      chunks.push(value);
    }
    chunks.length = 0;
    stop();
  };
  // A body that fails fails the send as well.
  read(request.clone()).catch(() => undefined);
  return {
    take() {
      if (complete) return new Blob(chunks);
      stop();
      return undefined;
    },
  };
}

const keptBytes = 1_048_576;

/** Gives a request's body once more: null when it has none, undefined when it cannot be sent again. Ends the keeping. */
export type KeptBody = () => BodyInit | null | undefined;

/** Keeps a body for a second send. One given in `init` is sent again by type; that of a `Request` as far as `replayBody` allows. */
export function keepBody(given: BodyInit | null | undefined, request: Request | undefined, replayBody: boolean | undefined): KeptBody {
  if (given) {
    const again =
      typeof given === 'string' || ArrayBuffer.isView(given) || [URLSearchParams, FormData, Blob, ArrayBuffer].some((type) => given instanceof type);
    return () => (again ? given : undefined);
  }
  // Some browsers do not show the body.
  const hasBody = given !== '' && request && (request.body === undefined ? !/^(?:GET|HEAD)$/i.test(request.method) : request.body);
  if (!hasBody) return () => given ?? null;
  return replayBody === false ? () => undefined : keepRequest(request, replayBody ? Infinity : keptBytes);
}

/** Reads a clone of the request beside the send. */
function keepRequest(request: Request, limit: number): KeptBody {
  const chunks: BlobPart[] = [];
  let complete = false;
  let stop = (): unknown => undefined;
  const read = async (): Promise<void> => {
    const clone = request.clone();
    const reader = (clone.body ?? (await clone.blob()).stream()).getReader();
    stop = () => reader.cancel().catch(() => undefined);
    for (let left = limit; left >= 0; ) {
      const { done, value } = await reader.read();
      if (done) {
        complete = true;
        return;
      }
      left -= value.byteLength;
      chunks.push(value);
    }
    chunks.length = 0;
    stop();
  };
  // A body that fails fails the send as well, and one that is used up is the caller's mistake, as fetch says.
  read().catch(() => undefined);
  return () => (complete ? new Blob(chunks) : void stop());
}

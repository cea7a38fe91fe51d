/** Calls an application's handler at once; what it throws, or rejects with, stays with it, and only `failed` hears of it. */
export function isolated<T>(handler: ((value: T) => unknown) | undefined, value: T, failed: () => void = () => undefined): void {
  if (handler) new Promise<unknown>((resolve) => resolve(handler(value))).catch(failed);
}

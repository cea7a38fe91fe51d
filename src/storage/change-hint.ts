export const hintVersion = 1;

/** What goes from tab to tab. Keys are digests, and a generation is the random version of a write: no token material. */
export interface ChangeHint {
  readonly v: number;
  readonly kind: 'written' | 'removed';
  readonly key: string;
  readonly generation: string;
}

/** The channel on which a database's changes are told. */
export function channelOf(database: string): string {
  return `tokenkeep:${database}`;
}

/** Undefined without BroadcastChannel. */
export function openChannel(name: string): BroadcastChannel | undefined {
  try {
    return new BroadcastChannel(name);
  } catch {
    return undefined;
  }
}

/** Tells it on a channel that is open, or on one that is opened for it. */
export function tellChange(name: string, kind: ChangeHint['kind'], key: string, generation: string, open?: BroadcastChannel): void {
  const channel = open ?? openChannel(name);
  channel?.postMessage({ v: hintVersion, kind, key, generation } satisfies ChangeHint);
  // An open channel may keep a page out of the back/forward cache.
  if (channel !== open) channel?.close();
}

import { virtualClock } from 'tokenkeep/testing';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { changeHints } from '../../../src/storage/change-hints.js';

// A channel that delivers at once, to all others of its name.
const channels = new Set<FakeChannel>();
let opened = 0;
class FakeChannel {
  onmessage: ((event: { readonly data: unknown }) => void) | undefined;
  readonly name: string;
  constructor(name: string) {
    this.name = name;
    opened++;
    channels.add(this);
  }
  postMessage(data: unknown): void {
    for (const channel of channels) if (channel !== this && channel.name === this.name) channel.onmessage?.({ data });
  }
  close(): void {
    channels.delete(this);
  }
}

beforeEach(() => {
  channels.clear();
  opened = 0;
  vi.stubGlobal('BroadcastChannel', FakeChannel);
});

afterEach(() => {
  vi.unstubAllGlobals();
});

const clock = virtualClock();

describe('changeHints()', () => {
  it('calls a listener at once, then at most every 100 ms, and once more after the last hint [X9]', async () => {
    const calls: number[] = [];
    const begin = clock.monotonicMs();
    changeHints('x', clock).subscribe('key', () => calls.push(clock.monotonicMs() - begin));
    const teller = changeHints('x', clock);
    for (let sent = 0; sent < 250; sent++) {
      teller.tell('written', 'key', `${sent}`);
      await clock.advance(1);
    }
    await clock.advance(1_000);
    expect(calls).toEqual([0, 100, 200, 300]);
    teller.tell('written', 'key', 'last');
    expect(calls).toHaveLength(5);
  });

  it('calls nobody after the undo, not even for a hint from before, and leaves no sleep and no channel behind [X9]', async () => {
    const calls: string[] = [];
    const hints = changeHints('x', clock);
    const undos = ['one', 'two'].map((name) => hints.subscribe('key', () => calls.push(name)));
    const teller = changeHints('x', clock);
    teller.tell('written', 'key', '1');
    teller.tell('written', 'key', '2');
    undos[0]?.();
    await clock.advance(1_000);
    expect(calls).toEqual(['one', 'two', 'two']);
    undos[1]?.();
    undos[1]?.();
    teller.tell('written', 'key', '3');
    await clock.advance(1_000);
    expect([calls.length, channels.size, clock.pending]).toEqual([3, 0, 0]);
  });

  it('opens no channel before the first use, and keeps none open for a write [X8] [X27]', () => {
    const hints = changeHints('x', clock);
    expect(opened).toBe(0);
    hints.tell('written', 'key', '1');
    expect([opened, channels.size]).toEqual([1, 0]);
  });

  it('goes without news where there is no BroadcastChannel, or it is refused [X8]', () => {
    for (const refusing of [
      undefined,
      class {
        constructor() {
          throw new DOMException('no', 'SecurityError');
        }
      },
    ]) {
      vi.stubGlobal('BroadcastChannel', refusing);
      const hints = changeHints('x', clock);
      const undo = hints.subscribe('key', () => undefined);
      hints.tell('removed', 'key', '1');
      undo();
    }
  });
});

import { setTimeout as sleep } from 'node:timers/promises';
import type { AuthorizationServer } from './authorization-server.ts';
import type { ProtectedApi } from './protected-api.ts';
import type { ServiceClock } from './service-clock.ts';
import { type Story, seconds } from './story.ts';

export interface TroubleOptions {
  readonly server: AuthorizationServer;
  readonly api: ProtectedApi;
  readonly clock: ServiceClock;
  readonly story: Story;
  /** How long the token endpoint takes, and how long when it is made slow. */
  readonly tokenDelayMs: number;
  readonly slowTokenDelayMs: number;
}

const jumpMs = 3_600_000;
// For this long a token has to serve before it is refused: a call whose second send meets another refusal would be told.
const settledMs = 300;

/** What the visitor can do to the service. One thing at a time, in the order of the clicks. */
export class Trouble {
  readonly #options: TroubleOptions;
  readonly #actions: Readonly<Record<string, () => Promise<void> | void>>;
  #queue: Promise<unknown> = Promise.resolve();
  #endStop: (() => void) | undefined;
  #endSlow: (() => void) | undefined;

  constructor(options: TroubleOptions) {
    this.#options = options;
    this.#actions = {
      revoke: () => this.#revoke(),
      stop: () => this.#stop(),
      start: () => this.#start(),
      slow: () => this.#slow(),
      normal: () => this.#normal(),
      rotate: () => this.#rotate(),
      forward: () => this.#jump(jumpMs, 'forward'),
      back: () => this.#jump(-jumpMs, 'back'),
    };
  }

  get isStopped(): boolean {
    return this.#endStop !== undefined;
  }

  get isSlow(): boolean {
    return this.#endSlow !== undefined;
  }

  /** False when there is no trouble of that name. */
  async make(name: string): Promise<boolean> {
    const action = Object.hasOwn(this.#actions, name) ? this.#actions[name] : undefined;
    if (action === undefined) return false;
    const done = this.#queue.then(action);
    this.#queue = done.catch(() => undefined);
    await done;
    return true;
  }

  async #revoke(): Promise<void> {
    const { api, story } = this.#options;
    await this.#settled();
    if (story.token === undefined) return;
    api.revokeLatest();
    story.trouble('revoked');
    story.line('yours', `You revoked token #${story.token.number}`, 'The API refuses it from now on, long before its end.');
  }

  async #stop(): Promise<void> {
    if (this.#endStop) return;
    const { server, story } = this.#options;
    await server.stop();
    this.#endStop = story.trouble('server down', true);
    story.line('yours', 'You stopped the authorization server', 'Nothing can be renewed. The token in use is good to its end all the same.');
  }

  async #start(): Promise<void> {
    if (!this.#endStop) return;
    const { server, story } = this.#options;
    await server.start();
    this.#endStop();
    this.#endStop = undefined;
    story.line('yours', 'You started the authorization server again', 'The next renewal finds it by itself.');
  }

  #slow(): void {
    const { server, story, slowTokenDelayMs } = this.#options;
    if (this.#endSlow) return;
    server.setTokenDelay(slowTokenDelayMs);
    this.#endSlow = story.trouble('server slow', true);
    story.line('yours', 'You made the authorization server slow', `A token takes ${seconds(slowTokenDelayMs)} now. Renewals start early enough for that.`);
  }

  #normal(): void {
    const { server, story, tokenDelayMs } = this.#options;
    server.setTokenDelay(tokenDelayMs);
    if (!this.#endSlow) return;
    this.#endSlow();
    this.#endSlow = undefined;
    story.line('yours', 'The authorization server is as fast as before', `A token takes ${seconds(tokenDelayMs)}.`);
  }

  async #rotate(): Promise<void> {
    const { server, api, story } = this.#options;
    await this.#settled();
    await server.rotateKey();
    story.trouble('key rotated');
    story.line('yours', 'You rotated the signing key', 'The old key is withdrawn at once, so the API cannot verify the token in use any more.');
    // A token that the old key had just signed is in use before the API learns of the new one.
    await sleep(settledMs);
    // Where the server is down, the API keeps the keys it has until it meets a new one.
    await api.reloadKeys().catch(() => undefined);
  }

  #jump(byMs: number, where: 'forward' | 'back'): void {
    const { clock, story } = this.#options;
    clock.jump(byMs);
    story.trouble(where === 'forward' ? 'clock +1 h' : 'clock −1 h');
    const text =
      where === 'forward'
        ? 'By that clock the token in use is long over.'
        : 'Time that has passed stays passed: a second clock, which nobody can set, counts it.';
    story.line('yours', `You set the service’s clock ${where} by an hour`, text);
  }

  async #settled(): Promise<void> {
    const { story } = this.#options;
    while (story.history.now - (story.token?.from ?? -Infinity) < settledMs) await sleep(20);
  }
}

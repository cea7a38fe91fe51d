import type { TokenEvent } from '../core/events.js';
import type { GrantContext } from '../core/grant.js';
import { systemClock } from '../core/system-clock.js';
import type { TokenSet } from '../core/token-set.js';
import type { TokenStore } from '../core/token-store.js';
import type { KeyStore } from '../core/key-store.js';
import { buildManager, type KeptTokens } from '../manager/kept-tokens.js';
import { asTokenError } from '../manager/as-token-error.js';
import { Journal } from '../manager/journal.js';
import { recordName } from '../manager/record-name.js';
import { renew } from '../manager/renew.js';
import { type SessionGrant, sessionGrant } from './session-grant.js';
import { isNews, type RenewedToken, type WorkerOrder, type WorkerSessionOptions } from './worker-messages.js';

/** Where the worker keeps everything: the same as its pages do. */
export interface WorkerStorage {
  readonly store: TokenStore;
  readonly keyStore: KeyStore;
}

/** One session in the worker: a manager of its own over the record that the pages read. */
export class WorkerSession {
  readonly #grant: SessionGrant;
  readonly #kept: KeptTokens;
  readonly #journal: Journal;
  /** Those whose orders are open, oldest first: the first hears the news. */
  readonly #asking = new Set<(event: TokenEvent) => void>();
  #isLeft = false;

  private constructor(grant: SessionGrant, { skewMs, minValidMs }: WorkerSessionOptions, store: TokenStore, changed: () => void) {
    this.#grant = grant;
    this.#journal = new Journal(systemClock, (event) => {
      const [first] = this.#asking;
      if (isNews(event)) first?.(event);
    });
    // As early as the earliest of the pages: what one of them finds due is due here.
    const internals = { renew, endsWithStore: true, journal: this.#journal, spread: 1 };
    this.#kept = buildManager({ grant: grant.grant, store, skewMs, minValidMs }, internals);
    this.#kept.tokens.subscribe(changed);
  }

  /**
   * `changed` is called when it may be over.
   * @throws {TokenError} `invalid_option`
   */
  static async open(options: WorkerSessionOptions, { store, keyStore }: WorkerStorage, changed: () => void): Promise<WorkerSession> {
    const name = await recordName({ id: options.grantId });
    return new WorkerSession(sessionGrant(options, options.grantId, name, keyStore, true), options, store, changed);
  }

  /** Nobody is signed in, or a page keeps it alone, and nobody asks: there is nothing to keep in memory. */
  get isOver(): boolean {
    return this.#asking.size === 0 && (this.#isLeft || this.#kept.record().refreshToken === undefined);
  }

  end(): Promise<void> {
    return this.#kept.tokens.dispose();
  }

  /** @throws {TokenError} */
  async perform(order: WorkerOrder, onEvent: (event: TokenEvent) => void): Promise<unknown> {
    this.#asking.add(onEvent);
    try {
      if (order.do === 'renew') return await this.#renew(order);
      if (order.do === 'redeem') return await this.#redeem(order);
      if (order.do === 'revoke') await this.#revoke(order.tokens);
      return undefined;
    } finally {
      this.#asking.delete(onEvent);
    }
  }

  async #renew({ target, ...order }: Extract<WorkerOrder, { do: 'renew' }>): Promise<RenewedToken> {
    const token = await this.#kept.renew(target, order);
    const held = this.#kept.record().tokens.find((each) => each.token === token);
    const { value: accessToken, type: tokenType, scope, expiresAt } = token;
    const sentAt = held?.wall ?? systemClock.now();
    return { accessToken, tokenType, scope, sentAt, lifetimeMs: expiresAt === undefined ? undefined : expiresAt - sentAt };
  }

  async #redeem({ transaction, code }: Extract<WorkerOrder, { do: 'redeem' }>): Promise<TokenSet | undefined> {
    const sealed = await this.#grant.redeem(transaction, { code }, this.#context());
    await this.#kept.recheck();
    try {
      await this.#kept.signIn(sealed, { mustStore: true });
      return undefined;
    } catch (error) {
      if (asTokenError(error).code !== 'store_unavailable') throw error;
      // The page that asked keeps it then, and two would spend one refresh token.
      this.#isLeft = true;
      return sealed;
    }
  }

  async #revoke(tokens: TokenSet): Promise<void> {
    // The page has signed out before it asks.
    await this.#kept.recheck();
    await this.#grant.grant.revoke?.(tokens, this.#context());
  }

  #context(): GrantContext {
    return { target: {}, clock: systemClock, signal: new AbortController().signal, report: this.#journal.report };
  }
}

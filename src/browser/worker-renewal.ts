import { createAccessToken } from '../core/access-token.js';
import { TokenError } from '../core/errors.js';
import type { TokenEvent } from '../core/events.js';
import { withTimeLimit } from '../core/waiting.js';
import { adopt } from '../manager/adopt.js';
import { asTokenError } from '../manager/as-token-error.js';
import type { Renew } from '../manager/renewal-tools.js';
import { limits } from '../manager/retry.js';
import type { BrowserStorage } from './browser-storage.js';
import { defaultWorker } from './default-worker.js';
import type { SessionOptions, TabReason } from './session.js';
import type { SessionSetup } from './session-setup.js';
import { type Renewal, tabRenewal } from './tab-renewal.js';
import { type WorkerLink, workerLink } from './worker-link.js';
import type { RenewedToken, WorkerSessionOptions } from './worker-messages.js';
import { redeemInWorker } from './redeem-in-worker.js';

const renewalMs = limits.lockMs + limits.flightMs + limits.storeMs;

/** Renewal in the shared worker, where there can be one; else in this page. */
export async function chooseRenewal(setup: SessionSetup, storage: BrowserStorage, name: string, changed: () => void): Promise<Renewal> {
  const reason = reasonOf(setup.options) ?? ((await storage.isDegraded()) ? 'storage_degraded' : undefined);
  const tab = await tabRenewal(setup, storage, name, { renewal: 'tab', renewalReason: reason });
  return reason === undefined ? workerRenewal(setup, storage, tab, changed) : tab;
}

// What a worker cannot be given, or is not to have.
function reasonOf({ worker, fetch, store, lock, clock }: SessionOptions): TabReason | undefined {
  if (worker === false) return 'off';
  if (fetch !== undefined) return 'own_fetch';
  if (store !== undefined) return 'own_store';
  if (lock !== undefined) return 'own_lock';
  return clock === undefined ? undefined : 'own_clock';
}

/**
 * Renewal in a shared worker, which a closed tab does not take along. This page opens no refresh token and never has one in clear,
 * except where the worker cannot be reached: then it renews itself, under the same lock. (`standards.md` X14)
 */
function workerRenewal(setup: SessionSetup, storage: BrowserStorage, tab: Renewal, changed: () => void): Renewal {
  const { clock, options } = setup;
  const link = workerLink({ make: options.worker || defaultWorker, session: JSON.stringify(sessionFor(setup)), clock, changed });
  const { revoke } = tab.grant;

  // What only this page's memory holds, no worker can renew.
  async function leaveDegraded(): Promise<void> {
    if (await storage.isDegraded()) link.leave('storage_degraded');
  }

  return {
    ...tab,
    async renew(entry, flight, tools) {
      await leaveDegraded();
      // The worker would spend what the store still holds: the refresh token before this one, or another session's.
      return entry.keeper.isUnsaved ? tab.renew(entry, flight, tools) : renewIn(link, tab.renew)(entry, flight, tools);
    },
    grant: {
      ...tab.grant,
      async revoke(tokens, context) {
        const done = await link.ask({ do: 'revoke', tokens: { ...tokens } }, context);
        if (done === undefined) await revoke?.(tokens, context);
      },
    },
    redeem: redeemInWorker(link, tab, setup),
    place: link.place,
    end: link.end,
  };
}

function sessionFor({ options, grantId, skewMs, minValidMs }: SessionSetup): WorkerSessionOptions {
  const { issuer, server, clientId, preset, allowInsecureHttp, redirectUri, scope, resource, audience, params, dpop } = options;
  return { issuer, server, clientId, preset, allowInsecureHttp, redirectUri, scope, resource, audience, params, dpop, grantId, skewMs, minValidMs };
}

/** Asks the worker, and takes the result out of the store. */
function renewIn(link: WorkerLink, renewInTab: Renew): Renew {
  return async (entry, flight, tools) => {
    const { keeper } = entry;
    const { reason } = flight;
    const { signal } = flight.cancel;
    // A token that the worker finds good and this page does not.
    let notGood: string | undefined;
    let source: 'server' | 'store' = 'store';
    const onEvent = (event: TokenEvent): void => {
      // This page announces the token itself.
      if (event.type === 'token') source = event.source;
      else tools.report(event);
    };
    const ask = (background: boolean): ReturnType<WorkerLink['ask']> => {
      // As of now: who joined meanwhile may wish for more.
      const want = notGood === undefined ? flight.want : { ...flight.want, invalidToken: notGood };
      const order = { do: 'renew', target: entry.key, reason, background, want } as const;
      const timeout = (): TokenError => new TokenError('timeout', `the worker did not renew within ${renewalMs} ms`, { phase: 'manager' });
      return withTimeLimit(tools.clock, renewalMs, (limited) => link.ask(order, { signal: limited, onEvent }), timeout, signal);
    };
    for (;;) {
      const { background } = flight;
      // Who begins to wait meanwhile makes it urgent there too.
      flight.onWanted = () => void ask(false).catch(() => undefined);
      let answer: Awaited<ReturnType<typeof ask>>;
      try {
        answer = await ask(background);
      } catch (caught) {
        const error = asTokenError(caught);
        signal.throwIfAborted();
        await keeper.read().catch(() => undefined);
        const token = adopt(entry, flight, tools, !flight.background);
        if (token) return token;
        const isBusy = background && error.code === 'lock_timeout';
        // Who came to wait meanwhile waits for the lock.
        if (isBusy && !flight.background) continue;
        flight.gaveWay = isBusy;
        throw error;
      } finally {
        flight.onWanted = undefined;
      }
      if (answer === undefined) return renewInTab(entry, flight, tools);
      signal.throwIfAborted();
      await keeper.read().catch((error: unknown) => tools.report({ type: 'storage_error', error: asTokenError(error) }));
      const adopted = adopt(entry, flight, tools, true, source);
      if (adopted) return adopted;
      const renewed = renewedToken(answer.result);
      if (entry.stored?.token.value !== renewed.accessToken) return createAccessToken(renewed, tools.windows.prove);
      // The worker finds it good, and by this page's clocks, or by an API's word, it is not.
      if (notGood !== undefined || flight.want.invalidToken === renewed.accessToken) return entry.stored.token;
      notGood = renewed.accessToken;
    }
  };
}

function renewedToken(result: unknown): RenewedToken {
  const { accessToken, tokenType, sentAt, lifetimeMs, scope } = Object(result);
  return { accessToken, tokenType, sentAt, lifetimeMs, scope };
}

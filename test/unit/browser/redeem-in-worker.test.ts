import { memoryStore, TokenError, type TokenStore } from 'tokenkeep';
import { fakeAuthorizationServer } from 'tokenkeep/testing';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { redeemInWorker } from '../../../src/browser/redeem-in-worker.js';
import { sessionGrant } from '../../../src/browser/session-grant.js';
import { setUpSession } from '../../../src/browser/session-setup.js';
import { tabRenewal } from '../../../src/browser/tab-renewal.js';
import type { WorkerLink } from '../../../src/browser/worker-link.js';
import { WorkerSession } from '../../../src/browser/worker-session.js';
import { checkTokenParameters } from '../../../src/core/token-parameters.js';
import { systemClock } from '../../../src/core/system-clock.js';
import { digest } from '../../../src/core/random.js';
import { buildManager, type KeptTokens } from '../../../src/manager/kept-tokens.js';
import { recordName } from '../../../src/manager/record-name.js';
import { renew } from '../../../src/manager/renew.js';
import { emptyRecord } from '../../../src/manager/state.js';
import { readAuthorizationResponse } from '../../../src/protocol/authorization/authorization-response.js';
import { authorizationRequest } from '../../../src/protocol/authorization/authorization-request.js';
import { testKeyStore } from '../protocol/proofs.js';

const redirectUri = 'https://app.test/callback';

/** A page and its worker over one store, which the page or the worker may not be able to write. */
async function setUp() {
  const as = fakeAuthorizationServer({ clock: systemClock });
  vi.stubGlobal('fetch', as.fetch);
  onTestFinished(() => void vi.unstubAllGlobals());
  const inner = memoryStore();
  const keyStore = testKeyStore();
  const setup = setUpSession({ issuer: as.issuer, clientId: 'app', redirectUri, scope: 'openid api:read' });
  const { options, grantId } = setup;
  const name = await recordName({ id: grantId }, '', digest);
  const full = { isFull: false };
  const storeOfWorker: TokenStore = {
    ...inner,
    set: (...write) => (full.isFull ? Promise.reject(new TokenError('store_unavailable', 'full', { phase: 'store' })) : inner.set(...write)),
  };
  const worker = await WorkerSession.open({ ...options, grantId, skewMs: 60_000, minValidMs: 5_000 }, { store: storeOfWorker, keyStore }, () => undefined);
  onTestFinished(() => worker.end());
  const page = (): KeptTokens => {
    const { grant } = sessionGrant(options, grantId, name, keyStore, true);
    const kept = buildManager({ grant, store: inner }, { renew, endsWithStore: true });
    onTestFinished(() => kept.tokens.dispose());
    return kept;
  };
  const answers = { come: true, after: async (): Promise<void> => undefined };
  const link: WorkerLink = {
    place: () => ({ renewal: 'worker', renewalReason: undefined }),
    async ask(order) {
      if (order.do === 'ping') return { result: undefined };
      if (!answers.come) {
        await answers.after();
        return undefined;
      }
      return { result: structuredClone(await worker.perform(order, () => undefined)) };
    },
    leave: () => undefined,
    end: () => undefined,
  };
  const storage = { store: inner, isDegraded: async () => false };
  const tab = await tabRenewal({ ...setup, keyStore }, storage, name, { renewal: 'tab', renewalReason: undefined });
  const context = { target: {}, clock: systemClock, signal: new AbortController().signal, report: () => undefined };
  const { transaction, url } = await authorizationRequest(tab.server, {}, { redirectUri, defaults: checkTokenParameters(options), appState: '{}' }, context);
  const callback = new URL((await as.visit(await url(context))) ?? '');
  const response = readAuthorizationResponse(callback, transaction, systemClock);
  const redeem = (kept?: KeptTokens) => redeemInWorker(link, tab, setup)(transaction, response, context, kept?.record() ?? emptyRecord);
  const redeemSilently = (): Promise<unknown> => worker.perform({ do: 'redeem', transaction, code: response.code }, () => undefined);
  return { as, worker, page, redeem, redeemSilently, full, answers, journal: setup.journal };
}

describe('a sign-in that the worker has finished', () => {
  it('is not written once more by the page: what somebody has renewed meanwhile stays [R3, X14]', async () => {
    const { as, worker, page, redeem } = await setUp();
    const redeemed = await redeem();
    const { value } = await other(page());
    await worker.perform({ do: 'renew', target: '', reason: 'refused', background: false, want: { invalidToken: value } }, () => undefined);
    const kept = page();
    await redeemed(kept);
    const first = await kept.tokens.getToken();
    expect(first.value).not.toBe(value);
    expect((await kept.tokens.getToken({ invalidToken: first })).value).not.toBe(first.value);
    expect(as.tokenRequests).toBe(3);
  });

  it('is told before what it brought is seen, so that nobody takes it for a renewal [X14]', async () => {
    const { page, redeem, journal } = await setUp();
    const kept = page();
    const seen: string[] = [];
    kept.tokens.subscribe(() => seen.push(...journal.entries.map(({ type }) => type)));
    await (await redeem())(kept);
    expect(kept.record().tokens).toHaveLength(1);
    expect(seen[0]).toBe('signed_in');
  });

  it('is not brought back by the page after a sign-out in another tab [R26, X10]', async () => {
    const { page, redeem } = await setUp();
    const redeemed = await redeem();
    await (await page().signOut()).revoked;
    const kept = page();
    await redeemed(kept);
    expect(kept.record()).toMatchObject({ tokens: [], refreshToken: undefined });
  });

  it('is kept by the page where the worker could not store it, and the worker forgets it [R3]', async () => {
    const { worker, page, redeem, full } = await setUp();
    full.isFull = true;
    const kept = page();
    await (await redeem())(kept);
    expect(worker.isOver).toBe(true);
    expect((await other(page())).value).toBe((await kept.tokens.getToken()).value);
  });
});

describe('a worker that does not answer any more', () => {
  it('has not lost the sign-in that it stored before [A11, X14]', async () => {
    const { as, page, redeem, redeemSilently, answers } = await setUp();
    const kept = page();
    Object.assign(answers, { come: false, after: redeemSilently });
    await (await redeem(kept))(kept);
    expect((await kept.tokens.getToken()).type).toBe('Bearer');
    expect(as.tokenRequests).toBe(1);
  });

  it('has lost it where the store knows nothing of it, or only of the session before, or of a sign-out [A11, R26]', async () => {
    const { page, redeem, answers } = await setUp();
    const kept = page();
    answers.come = false;
    await expect((await redeem(kept))(kept)).rejects.toMatchObject({ code: 'code_lost' });
    const brought = { accessToken: 'at', tokenType: 'Bearer', sentAt: Date.now(), lifetimeMs: 60_000, scope: [], refreshToken: 'rt' } as const;
    await kept.signIn(brought);
    await expect((await redeem(kept))(kept)).rejects.toMatchObject({ code: 'code_lost' });
    answers.after = async () => void (await page().signOut());
    await expect((await redeem(kept))(kept)).rejects.toMatchObject({ code: 'code_lost' });
    await expect(kept.tokens.getToken()).rejects.toMatchObject({ code: 'login_required' });
  });
});

const other = (kept: KeptTokens) => kept.tokens.getToken();

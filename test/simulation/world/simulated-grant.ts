import { type Grant, type GrantContext, TokenError, type TokenSet } from 'tokenkeep';
import { drawJourney } from './fate.js';
import type { World } from './world.js';

/** The grant of one manager, straight to the simulated server: the network is drawn, and the oracle sees every request. */
export function simulatedGrant(world: World, manager: number): Grant {
  const { plan } = world;
  return {
    id: 'simulated',
    renews: plan.renews,
    keepsRefreshToken: plan.rotation === 'same',
    request: (current, context) => request(world, manager, current, context),
    revoke: async (tokens) => {
      await world.clock.sleep(world.random.between(1, 50));
      const token = world.server.tokens.get(tokens.accessToken);
      if (token !== undefined) token.revoked = true;
      if (tokens.refreshToken !== undefined && tokens.refreshToken === world.server.currentRefreshToken) world.server.alive = false;
      if (world.random.chance(0.2)) throw new TokenError('network_error', 'no revocation today', { phase: 'revocation' });
    },
  };
}

async function request(world: World, manager: number, current: TokenSet | undefined, { target, clock, signal }: GrantContext): Promise<TokenSet> {
  const { plan, server, oracle } = world;
  const targetKey = String(target.scope ?? '');
  const refreshToken = plan.renews === 'refreshToken' ? (current?.refreshToken ?? server.initialRefreshToken) : undefined;
  const journey = drawJourney(world.weather, world.random);
  const sentAt = clock.now();
  const sent = oracle.requestSent(manager, targetKey, refreshToken);
  world.trace(() => `m${manager} ${targetKey || 'own'}: request ${refreshToken ?? ''} (${journey.fate})`);
  let delivered = false;
  let committed: ReturnType<typeof server.commit> | undefined;

  const fail = (code: 'network_error' | 'server_error' | 'rate_limited' | 'invalid_response' | 'client_rejected'): never => {
    throw new TokenError(code, 'simulated', { phase: 'token', retryAfterMs: journey.retryAfterMs });
  };

  // The server goes on when the client has given up.
  const serve = async (): Promise<TokenSet> => {
    await world.clock.sleep(journey.thereMs);
    switch (journey.fate) {
      case 'dropped':
        return fail('network_error');
      case 'silent':
        return new Promise(() => undefined);
      case 'serverError':
        return fail('server_error');
      case 'limited':
        return fail('rate_limited');
      case 'portal':
        return fail('invalid_response');
      case 'rejected':
        return fail('client_rejected');
    }
    committed = server.commit(targetKey, refreshToken);
    if (committed !== undefined && journey.fate !== 'answered') oracle.answerLost();
    await world.clock.sleep(journey.backMs);
    switch (journey.fate) {
      case 'droppedLost':
        return fail('network_error');
      case 'silentLost':
        return new Promise(() => undefined);
      case 'serverErrorLost':
        return fail('server_error');
      case 'portalLost':
        return fail('invalid_response');
      case 'answered':
        break;
    }
    if (committed === undefined) {
      if (!signal.aborted) oracle.refusalDelivered(sent);
      throw new TokenError('grant_revoked', 'simulated', { phase: 'token', oauthError: 'invalid_grant', status: 400 });
    }
    const { token } = committed;
    if (!signal.aborted) {
      delivered = true;
      oracle.delivered(sent, token);
    }
    return { accessToken: token.value, tokenType: 'Bearer', sentAt, lifetimeMs: token.lifetimeMs, scope: [], refreshToken: committed.refreshToken };
  };

  const gaveUp = new Promise<never>((_resolve, reject) => {
    signal.addEventListener('abort', () => {
      if (journey.fate === 'answered' && !delivered) oracle.answerLost();
      if (committed === undefined && journey.fate.endsWith('Lost')) oracle.answerLost();
      reject(signal.reason);
    });
  });
  try {
    const answer = await Promise.race([serve(), gaveUp]);
    world.trace(() => `m${manager} ${targetKey || 'own'}: answered ${answer.accessToken} ${answer.refreshToken ?? ''}`);
    return answer;
  } catch (error) {
    oracle.requestFailed(sent, signal.aborted ? undefined : journey.retryAfterMs);
    throw error;
  } finally {
    oracle.requestEnded(sent);
  }
}

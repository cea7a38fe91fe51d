import type { AccessToken } from '../core/access-token.js';
import type { Clock } from '../core/clock.js';
import { isTokenError } from '../core/errors.js';
import type { AllowedResource, AllowList } from './allow-list.js';
import type { AuthFetchOptions } from './auth-fetch-options.js';
import { discard, type Call } from './call.js';
import { isolated } from '../core/isolated.js';
import { parseUrl } from './parse-url.js';
import { readRefusal } from './read-refusal.js';
import type { TokenPresenter } from './token-presenter.js';

/** Answers a 401 or 403: true when the call now carries another token and is to be sent again. */
export type RefusalHandler = (call: Call, resource: AllowedResource, response: Response) => Promise<boolean>;

export function createRefusalHandler(
  { obtain, present }: TokenPresenter,
  allowed: AllowList,
  { onChallenge, isTokenRejected, onEvent }: AuthFetchOptions,
  clock: Clock,
): RefusalHandler {
  async function renew(resource: AllowedResource, refused: AccessToken, signal?: AbortSignal): Promise<AccessToken> {
    const token = await obtain(signal, refused);
    if (token.value !== refused.value) resource.renewed(token.value, clock);
    return token;
  }

  async function isConfirmed(response: Response): Promise<boolean> {
    if (!isTokenRejected) return true;
    const copy = response.clone();
    try {
      return await isTokenRejected(copy);
    } catch {
      return true;
    } finally {
      discard(copy);
    }
  }

  return async (call, resource, response) => {
    const { token, signal, body, url } = call;
    const { origin } = url;
    // Where fetch followed redirects by itself, the header may have been lost, or never have been due.
    if (response.url !== '' && !isStillOurs(response.url, origin, allowed)) return false;
    const refusal = readRefusal(response, token, origin);
    if (refusal === undefined) return false;
    if (refusal !== 'token_refused') {
      const { error, scopes, acrValues, maxAgeMs } = refusal;
      isolated(onEvent, { type: 'step_up', origin, error, scopes, acrValues, maxAgeMs });
      isolated(onChallenge, refusal);
      return false;
    }
    if (!(await isConfirmed(response))) return false;
    const quarantineMs = resource.refused(token.value, clock);
    if (quarantineMs !== undefined) isolated(onEvent, { type: 'quarantined', resource: resource.resource, until: clock.now() + quarantineMs });
    if (!call.mayRetry || resource.isQuarantined(clock)) return false;
    call.mayRetry = false;
    // Behind a redirect that fetch followed, a second send would repeat what was accepted before it.
    const repeatable = !response.redirected || /^(?:GET|HEAD)$/i.test(call.method);
    const again = repeatable ? body?.take() : undefined;
    if (!repeatable || (body && again === undefined)) {
      isolated(onEvent, { type: 'not_replayable', origin });
      renew(resource, token).catch(() => undefined);
      return false;
    }
    try {
      call.token = await renew(resource, token, signal);
    } catch (error) {
      if (signal?.aborted) discard(response);
      signal?.throwIfAborted();
      if (isTokenError(error)) isolated(onEvent, { type: 'renewal_unavailable', origin, error });
      return false;
    }
    if (call.token.value === token.value) return false;
    const headers = new Headers(call.init.headers);
    present(headers, call.token);
    call.init = { ...call.init, headers, ...(again !== undefined && { body: again }) };
    return true;
  };
}

function isStillOurs(url: string, origin: string, allowed: AllowList): boolean {
  const at = parseUrl(url);
  return at !== undefined && at.origin === origin && allowed(at) !== undefined;
}

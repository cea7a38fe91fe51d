import defaultKy, { type KyInstance, type Options } from 'ky';
import { checkOptions, invalidOption } from '../core/check-option.js';
import type { TokenSource } from '../core/token-source.js';
import type { AuthFetchOptions } from './auth-fetch-options.js';
import { createAuthFetch } from './create-auth-fetch.js';
import { parseUrl } from './parse-url.js';

/** ky's own options, and those of {@link createAuthFetch}. */
export interface HttpClientOptions extends Omit<Options, 'fetch'>, Omit<AuthFetchOptions, 'allow' | 'fetch'> {
  readonly tokens: TokenSource;
  /** Who may see the token. @default the origin of ky's absolute `prefix` or `baseUrl` */
  readonly allow?: readonly string[] | undefined;
  /** Carries the requests. @default the `fetch` of `ky`, or the global one, looked up at each call */
  readonly fetch?: Options['fetch'] | undefined;
  /** An instance to extend, with its defaults and hooks; its `fetch` carries the requests. @default ky itself */
  readonly ky?: KyInstance | undefined;
}

/**
 * A ky instance whose requests carry the source's token, by {@link createAuthFetch}. ky's own retries, hooks and errors stay;
 * `fetch` is what carries the requests beneath.
 *
 * `timeout` is 45 s unless given (here or on `ky`): it covers the wait for a token, and ky's own 10 s would hide our errors.
 * @throws {TokenError} `invalid_option`, also when `retry.statusCodes` lists 401, which is answered below ky, and when there
 * is neither `allow` nor an absolute `prefix` or `baseUrl`.
 */
export function createHttpClient(options: HttpClientOptions): KyInstance {
  checkOptions('createHttpClient', options);
  const {
    tokens,
    allow,
    ky = defaultKy,
    allowOutside,
    allowInsecureHttp,
    onChallenge,
    isTokenRejected,
    alsoRejected,
    replayBody,
    onEvent,
    clock,
    ...own
  } = options;
  const auth = { allowOutside, allowInsecureHttp, onChallenge, isTokenRejected, alsoRejected, replayBody, onEvent, clock };
  if (typeof ky !== 'function' || typeof ky.extend !== 'function') throw invalidOption('ky', 'a ky instance', ky);
  return ky.extend((parent) => {
    const { prefix = parent.prefix, baseUrl = parent.baseUrl, fetch = parent.fetch, timeout = parent.timeout ?? 45_000 } = own;
    for (const { retry } of [parent, own]) {
      if (typeof retry === 'object' && retry?.statusCodes?.includes?.(401)) throw invalidOption('retry.statusCodes', 'a list without 401', retry.statusCodes);
    }
    const base = parseUrl(String(prefix)) ?? parseUrl(String(baseUrl));
    const list = allow === undefined && base ? [base.origin] : allow;
    if (list === undefined) throw invalidOption('allow', 'a list of origins or URL prefixes, or an absolute "prefix" or "baseUrl"', list);
    return {
      ...own,
      // To ky, a member that is undefined would hide the parent's.
      ...(prefix !== undefined && { prefix }),
      ...(baseUrl !== undefined && { baseUrl }),
      timeout,
      fetch: createAuthFetch(tokens, { ...auth, allow: list, fetch }),
    };
  });
}

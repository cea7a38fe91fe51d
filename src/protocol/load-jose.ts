import { TokenError } from '../core/errors.js';

/** Loads a file once; one that could not be had is asked for again. */
function loader<T>(load: () => Promise<T>): () => Promise<T> {
  let loaded: Promise<T> | undefined;
  return () => {
    loaded ??= load().catch(() => {
      loaded = undefined;
      throw new TokenError('code_unavailable', 'the code that signs and verifies could not be loaded', { phase: 'manager' });
    });
    return loaded;
  };
}

/**
 * What signs and verifies, loaded only when something is: a service with a secret starts without it.
 * @throws {TokenError} `code_unavailable`
 */
export const loadJose: () => Promise<typeof import('./jose.js')> = /* @__PURE__ */ loader(() => import('./jose.js'));

/**
 * What imports keys that are given as text.
 * @throws {TokenError} `code_unavailable`
 */
export const loadJoseKeys: () => Promise<typeof import('./jose-keys.js')> = /* @__PURE__ */ loader(() => import('./jose-keys.js'));

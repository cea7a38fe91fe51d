import { TokenError } from '../core/errors.js';
import { once } from '../core/once.js';

const missing = (): never => {
  throw new TokenError('code_unavailable', 'the code that signs and verifies could not be loaded', { phase: 'manager' });
};

/**
 * What signs and verifies, loaded only when something is: a service with a secret starts without it.
 * @throws {TokenError} `code_unavailable`
 */
export const loadJose: () => Promise<typeof import('./jose.js')> = /* @__PURE__ */ once(() => import('./jose.js').catch(missing));

/**
 * What imports keys that are given as text.
 * @throws {TokenError} `code_unavailable`
 */
export const loadJoseKeys: () => Promise<typeof import('./jose-keys.js')> = /* @__PURE__ */ once(() => import('./jose-keys.js').catch(missing));

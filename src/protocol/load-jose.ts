import { TokenError } from '../core/errors.js';

let loaded: Promise<typeof import('./jose.js')> | undefined;

/**
 * What signs and verifies, loaded once and only when something is: a service with a secret starts without it.
 * @throws {TokenError} `code_unavailable`
 */
export function loadJose(): Promise<typeof import('./jose.js')> {
  loaded ??= import('./jose.js').catch(() => {
    loaded = undefined;
    throw new TokenError('code_unavailable', 'the code that signs and verifies could not be loaded', { phase: 'manager' });
  });
  return loaded;
}

import { checkOptions } from '../core/check-option.js';
import { checkTokenParameters } from '../core/token-parameters.js';
import type { TokenTarget } from '../core/token-source.js';

/**
 * The key under which equal targets meet: the target itself, its lists in canonical form. (`standards.md` R1)
 * @throws {TokenError} `invalid_option`
 */
export function targetKey(given: TokenTarget): string {
  checkOptions('target', given, ['resource', 'audience', 'scope', 'params']);
  const { resource, scope, audience, params } = checkTokenParameters(given);
  const entries = Object.entries(params).sort();
  const key = JSON.stringify({
    scope: scope && [...new Set(scope)].sort(),
    resource: resource && [...resource].sort(),
    audience,
    params: entries.length > 0 ? Object.fromEntries(entries) : undefined,
  });
  return key === '{}' ? '' : key;
}

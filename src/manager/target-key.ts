import { checkOptions } from '../core/check-option.js';
import { checkTokenParameters } from '../core/token-parameters.js';
import type { TokenTarget } from '../core/token-source.js';

/** A target with its lists in canonical form, and the key under which equal targets meet. (`standards.md` R1) */
export interface CanonicalTarget {
  readonly key: string;
  readonly target: TokenTarget;
}

/** @throws {TokenError} `invalid_option` */
export function canonicalTarget(given: TokenTarget): CanonicalTarget {
  checkOptions('target', given, ['resource', 'audience', 'scope', 'params']);
  const { resource, scope, audience, params: all } = checkTokenParameters(given);
  const params = Object.keys(all).length > 0 ? all : undefined;
  const key = [scope && [...new Set(scope)].sort(), resource && [...resource].sort(), audience, params && Object.entries(params).sort()];
  const target = { ...(resource && { resource }), ...(scope && { scope }), ...(audience !== undefined && { audience }), ...(params && { params }) };
  return { key: key.every((part) => part === undefined) ? '' : JSON.stringify(key), target };
}

/** What events call a target: enough for a person, nothing of the free parameters. */
export function targetLabel({ resource, audience, scope }: TokenTarget): string {
  return [resource, audience, scope].flat().filter(Boolean).join(' ') || 'default';
}

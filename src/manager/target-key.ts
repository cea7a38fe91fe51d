import { checkOptions, checkResource, checkScope, checkString, invalidOption } from '../core/check-option.js';
import type { TokenTarget } from '../core/token-source.js';

/** A target with its lists in canonical form, and the key under which equal targets meet. (`standards.md` R1) */
export interface CanonicalTarget {
  readonly key: string;
  readonly target: TokenTarget;
}

/** @throws {TokenError} `invalid_option` */
export function canonicalTarget(given: TokenTarget): CanonicalTarget {
  checkOptions('target', given, ['resource', 'audience', 'scope', 'params']);
  const resource = checkResource('resource', given.resource);
  const scope = checkScope('scope', given.scope);
  const audience = given.audience === undefined ? undefined : checkString('audience', given.audience);
  const params = given.params === undefined ? undefined : checkParams(given.params);
  const key = [scope && [...new Set(scope)].sort(), resource && [...resource].sort(), audience, params && Object.entries(params).sort()];
  const target = { ...(resource && { resource }), ...(scope && { scope }), ...(audience !== undefined && { audience }), ...(params && { params }) };
  return { key: key.every((part) => part === undefined) ? '' : JSON.stringify(key), target };
}

/** What events call a target: enough for a person, nothing of the free parameters. */
export function targetLabel({ resource, audience, scope }: TokenTarget): string {
  return [resource, audience, scope].flat().filter(Boolean).join(' ') || 'default';
}

function checkParams(value: unknown): Readonly<Record<string, string>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalidOption('params', 'an object of strings', value);
  return Object.fromEntries(Object.entries(value).map(([name, entry]) => [name, checkString(`params.${name.slice(0, 40)}`, entry)]));
}

import { checkResource, checkScope, checkString, invalidOption } from '../core/check-option.js';
import type { TokenTarget } from '../core/token-source.js';

/** The parameters that say what a token is for, checked. */
export interface TokenParameters {
  readonly scope: readonly string[] | undefined;
  readonly resource: readonly string[] | undefined;
  readonly audience: string | undefined;
  readonly params: Readonly<Record<string, string>>;
}

// Those that the protocol sets itself, and those that have an option of their own.
const reserved = new Set([
  'grant_type',
  'client_id',
  'client_secret',
  'code',
  'code_verifier',
  'refresh_token',
  'redirect_uri',
  'scope',
  'resource',
  'audience',
]);

/** Checks a target, or a grant's own defaults. */
export function checkTokenParameters(target: TokenTarget): TokenParameters {
  return {
    scope: checkScope('scope', target.scope),
    resource: checkResource('resource', target.resource),
    audience: target.audience === undefined ? undefined : checkString('audience', target.audience),
    params: checkParams(target.params),
  };
}

/** A target's parameters; what it leaves out is taken from the grant. */
export function mergeParameters(defaults: TokenParameters, target: TokenTarget): TokenParameters {
  const own = checkTokenParameters(target);
  return {
    scope: own.scope ?? defaults.scope,
    resource: own.resource ?? defaults.resource,
    audience: own.audience ?? defaults.audience,
    params: { ...defaults.params, ...own.params },
  };
}

/** The body of a token request; `scope` is what is sent of it, which may be nothing. */
export function toSearchParams(parameters: TokenParameters, scope: readonly string[] | undefined): URLSearchParams {
  const body = new URLSearchParams(parameters.params);
  if (scope !== undefined) body.set('scope', scope.join(' '));
  if (parameters.audience !== undefined) body.set('audience', parameters.audience);
  for (const resource of new Set(parameters.resource)) body.append('resource', resource);
  return body;
}

/** One spelling for parameters that mean the same, for a grant's id. */
export function canonicalParameters({ scope, resource, audience, params }: TokenParameters): readonly unknown[] {
  return [[...new Set(scope)].sort(), [...new Set(resource)].sort(), audience ?? null, Object.entries(params).sort(([a], [b]) => (a < b ? -1 : 1))];
}

function checkParams(value: unknown): Readonly<Record<string, string>> {
  if (value === undefined) return {};
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalidOption('params', 'an object of strings', value);
  const params: [string, string][] = [];
  for (const [name, text] of Object.entries(value)) {
    checkString('params', name);
    if (reserved.has(name) || name.startsWith('client_assertion'))
      throw invalidOption(`params.${name}`, 'no parameter that the protocol sets or that has an option of its own', text);
    if (typeof text !== 'string' || text === '') throw invalidOption(`params.${name.slice(0, 40)}`, 'a string that is not empty', text);
    params.push([name, text]);
  }
  return Object.freeze(Object.fromEntries(params));
}

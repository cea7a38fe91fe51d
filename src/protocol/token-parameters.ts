import { checkTokenParameters, type TokenParameters } from '../core/token-parameters.js';
import type { TokenTarget } from '../core/token-source.js';

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

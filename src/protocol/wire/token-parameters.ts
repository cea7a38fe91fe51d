import type { TokenParameters } from '../../core/token-parameters.js';

/** The body of a token request; `scope` is what is sent of it, which may be nothing. */
export function toSearchParams({ params, audience, resource }: TokenParameters, scope: readonly string[] | undefined): URLSearchParams {
  const body = new URLSearchParams(params);
  if (scope !== undefined) body.set('scope', scope.join(' '));
  if (audience !== undefined) body.set('audience', audience);
  for (const uri of new Set(resource)) body.append('resource', uri);
  return body;
}

/** One spelling for parameters that mean the same, for a grant's id. */
export function canonicalParameters(parameters: TokenParameters): string {
  const { scope, resource } = parameters;
  const body = toSearchParams({ ...parameters, resource: resource?.toSorted() }, scope && [...new Set(scope)].sort());
  body.sort();
  return body.toString();
}

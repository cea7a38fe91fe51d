import { checkOptions, checkResource, checkScope, checkString, invalidOption } from './check-option.js';
import type { TokenTarget } from './token-source.js';

/** The parameters that say what a token is for, checked. */
export interface TokenParameters {
  readonly scope: readonly string[] | undefined;
  readonly resource: readonly string[] | undefined;
  readonly audience: string | undefined;
  readonly params: Readonly<Record<string, string>>;
}

// Those that the protocol sets itself, and those that have an option of their own.
const reserved =
  /^(grant_type|client_(id|secret|assertion.*)|code(_verifier)?|refresh_token|redirect_uri|scope|resource|audience|assertion|(subject|actor)_token(_type)?|requested_token_type|device_code)$/;

/** Checks a grant's own parameters, or a target's: what that leaves out is taken from the `defaults`. */
export function checkTokenParameters(target: TokenTarget, defaults?: TokenParameters): TokenParameters {
  const { scope, resource, audience = defaults?.audience, params } = target;
  return {
    scope: checkScope('scope', scope) ?? defaults?.scope,
    resource: checkResource('resource', resource) ?? defaults?.resource,
    audience: audience === undefined ? undefined : checkString('audience', audience),
    params: Object.freeze({ ...defaults?.params, ...checkParams(params) }),
  };
}

function checkParams(params: Readonly<Record<string, string>> = {}): Readonly<Record<string, string>> {
  checkOptions('params', params);
  for (const [name, text] of Object.entries(params)) {
    const option = `params.${checkString('params', name).slice(0, 40)}`;
    if (reserved.test(name)) throw invalidOption(option, 'no name that the protocol or an option sets', text);
    if (typeof text !== 'string' || text === '') throw invalidOption(option, 'a string that is not empty', text);
  }
  return params;
}

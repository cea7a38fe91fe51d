import { checkResource, checkScope, checkString, invalidOption } from './check-option.js';
import type { TokenTarget } from './token-source.js';

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

function checkParams(value: unknown): Readonly<Record<string, string>> {
  if (value === undefined) return {};
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalidOption('params', 'an object of strings', value);
  const params: [string, string][] = [];
  for (const [name, text] of Object.entries(value)) {
    const option = `params.${checkString('params', name).slice(0, 40)}`;
    if (reserved.has(name) || name.startsWith('client_assertion'))
      throw invalidOption(option, 'no parameter that the protocol sets or that has an option of its own', text);
    if (typeof text !== 'string' || text === '') throw invalidOption(option, 'a string that is not empty', text);
    params.push([name, text]);
  }
  return Object.freeze(Object.fromEntries(params));
}

import { checkDuration, checkOptions, checkString, invalidOption } from '../../core/check-option.js';
import { checkTokenParameters, type TokenParameters } from '../../core/token-parameters.js';
import type { TokenTarget } from '../../core/token-source.js';
import { toSearchParams } from '../wire/token-parameters.js';

/** What one sign-in asks for (RFC 6749 §4.1.1, OIDC Core §3.1.2.1). */
export interface SignInOptions extends TokenTarget {
  /** `none`, `login`, `consent`, `select_account`, `create`; several with blanks between them. */
  readonly prompt?: string | undefined;
  /** Whom the server should expect. */
  readonly loginHint?: string | undefined;
  /** How old the user's sign-in may be; 0 asks for a new one. The ID token then has to tell (`auth_time`). */
  readonly maxAgeMs?: number | undefined;
  /** Authentication classes, the preferred one first. */
  readonly acrValues?: string | readonly string[] | undefined;
  /** Languages, the preferred one first. */
  readonly uiLocales?: string | readonly string[] | undefined;
  /** Tells the server whom `prompt: 'none'` is about. */
  readonly idTokenHint?: string | undefined;
  /** Single claims (OIDC Core §5.5). */
  readonly claims?: Readonly<Record<string, unknown>> | undefined;
  /** Where the response stands in the callback URL. @default 'query' */
  readonly responseMode?: 'query' | 'fragment' | undefined;
  /** Sends the request to the server first and the user with a reference to it (RFC 9126). @default as the server requires */
  readonly pushed?: boolean | undefined;
}

/** The names of {@link SignInOptions}, for whoever checks a larger set of options. */
export const signInOptionNames: readonly string[] = [
  ...['scope', 'resource', 'audience', 'params', 'prompt', 'loginHint', 'maxAgeMs', 'acrValues'],
  ...['uiLocales', 'idTokenHint', 'claims', 'responseMode', 'pushed'],
];

/** What a sign-in asks for, checked. */
export interface SignIn {
  readonly target: TokenParameters;
  readonly maxAgeMs: number | undefined;
  readonly acrValues: readonly string[] | undefined;
  readonly responseMode: 'query' | 'fragment';
  readonly pushed: boolean;
  /** The parameters that depend on nothing but the options. */
  readonly parameters: URLSearchParams;
  /** What of them must not be shown. */
  readonly secrets: readonly string[];
}

// What an authorization request sets beside the names that a token request does (`standards.md` P32).
const reserved =
  /^(response_(type|mode)|state|nonce|code_challenge(_method)?|request(_uri)?|prompt|max_age|login_hint|id_token_hint|acr_values|ui_locales|claims|dpop_jkt)$/;

/**
 * Checks what a sign-in asks for; `defaults` give what it leaves out.
 * @throws {TokenError} `invalid_option`.
 */
export function checkSignIn(options: SignInOptions, defaults?: TokenParameters): SignIn {
  const { claims, responseMode = 'query', pushed = false } = options;
  const target = checkTokenParameters(options, defaults);
  const taken = Object.keys(target.params).find((name) => reserved.test(name));
  if (taken !== undefined) throw invalidOption(`params.${taken}`, 'no name that the protocol or an option sets', target.params[taken]);
  if (responseMode !== 'query' && responseMode !== 'fragment') throw invalidOption('responseMode', '"query" or "fragment"', responseMode);
  if (typeof pushed !== 'boolean') throw invalidOption('pushed', 'true or false', pushed);
  if (claims !== undefined) checkOptions('claims', claims);
  const maxAgeMs = options.maxAgeMs === undefined ? undefined : checkDuration('maxAgeMs', options.maxAgeMs, 0);
  const prompt = words('prompt', options.prompt);
  if (prompt?.includes('none') && prompt.length > 1) throw invalidOption('prompt', '"none" alone, or other values', options.prompt);
  const acrValues = words('acrValues', options.acrValues);
  const { loginHint, idTokenHint } = options;
  const parameters = toSearchParams(target, target.scope);
  const further = {
    prompt: prompt?.join(' '),
    login_hint: loginHint === undefined ? undefined : checkString('loginHint', loginHint),
    max_age: maxAgeMs === undefined ? undefined : String(Math.floor(maxAgeMs / 1000)),
    acr_values: acrValues?.join(' '),
    ui_locales: words('uiLocales', options.uiLocales)?.join(' '),
    id_token_hint: idTokenHint === undefined ? undefined : checkString('idTokenHint', idTokenHint),
    claims: claims && JSON.stringify(claims),
    response_mode: responseMode === 'query' ? undefined : responseMode,
  };
  for (const [name, value] of Object.entries(further)) if (value !== undefined) parameters.set(name, value);
  const secrets = [loginHint, idTokenHint].filter((value) => value !== undefined);
  return { target, maxAgeMs, acrValues, responseMode, pushed, parameters, secrets };
}

function words(option: string, value: unknown): readonly string[] | undefined {
  if (value === undefined) return undefined;
  const list = [value].flat().flatMap((entry) => checkString(option, entry).split(' ').filter(Boolean));
  if (list.length === 0) throw invalidOption(option, 'words in a string or a list', value);
  return list;
}

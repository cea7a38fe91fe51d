import { checkCount, checkOptions, checkString, invalidOption, isUri } from '../../core/check-option.js';
import type { Preset } from '../../core/preset.js';
import { isOrigin } from '../../core/secure-url.js';

/** Throws when the value does not fit. */
type Check = (option: string, value: unknown) => void;

const check =
  (expected: string, fits: (value: unknown) => boolean): Check =>
  (option, value) => {
    if (!fits(value)) throw invalidOption(option, expected, value);
  };
const word = (...allowed: unknown[]): Check => check(allowed.join(' or '), (value) => allowed.includes(value));
const list = (of: string, fits: (entry: unknown) => boolean): Check => check(`a list of ${of}`, (value) => Array.isArray(value) && value.every(fits));
const object =
  (known: Readonly<Record<string, Check>> | undefined, others?: Check): Check =>
  (option, value) => {
    checkOptions(option, value, known && Object.keys(known));
    for (const [name, member] of Object.entries(Object(value))) if (member !== undefined) (known?.[name] ?? others)?.(`${option}.${name}`, member);
  };

const tokenType = word('Bearer', 'DPoP');
const milliseconds: Check = (option, value) => void checkCount(option, value, 1);
const text: Check = (option, value) => void checkString(option, value);
const logoutForm = object({ url: check('an https URL', (value) => isUri(value) && /^https:/i.test(value)), clientIdParam: text, redirectParam: text });
const presetShape = object({
  discovery: word('oidc', 'oauth'),
  endpointOrigins: list('origins', isOrigin),
  assertionAudience: word('issuer', 'token_endpoint'),
  assertionTyp: word('client-authentication+jwt', 'JWT', 'none'),
  assertionHeaders: list('kid, x5t, x5t#S256', (entry) => /^(kid|x5t(#S256)?)$/.test(String(entry))),
  scopeSeparator: word('space', 'comma'),
  successStatuses: list('2xx statuses', (entry) => typeof entry === 'number' && entry >= 200 && entry < 300),
  responseFormat: word('json', 'form'),
  tokenTypeDefault: tokenType,
  tokenTypeMap: object(undefined, tokenType),
  expiresIn: object({
    unknownLifetimeMs: milliseconds,
    zeroMeans: word('expired', 'unknown'),
  }),
  expHint: word(true, false),
  sliding: word(true, false),
  rawMembers: list('names', (entry) => typeof entry === 'string'),
  scopeOnRefresh: word('omit', 'required'),
  rotation: word('always', 'optional', 'none', 'unknown'),
  idleLifetimeMs: milliseconds,
  absoluteLifetimeMs: milliseconds,
  pkce: word('required', 'unsupported'),
  idTokenAlgorithms: list('asymmetric algorithms', (entry) => typeof entry === 'string' && /^([REP]S\d{3}|EdDSA|Ed25519)$/.test(entry)),
  idTokenSignature: word('jwks', 'tls'),
  logout: (option, value) => (Object(value) === value ? logoutForm : word('oidc', 'none'))(option, value),
  rejectedToken: list('forms', (entry) => Object(entry) === entry),
  codeMap: object(undefined, word('grant_revoked', 'interaction_required', 'client_rejected', 'request_rejected', 'server_error')),
});

/** The `preset` option: data of a known shape. */
export function checkPreset(preset: Preset = {}): Preset {
  presetShape('preset', preset);
  return preset;
}

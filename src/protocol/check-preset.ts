import { checkOptions, invalidOption } from '../core/check-option.js';
import type { Preset } from '../core/preset.js';

type Check = readonly [expected: string, test: (value: unknown) => boolean];

const checks: Record<keyof Preset, Check> = {
  discovery: oneOf('oidc', 'oauth'),
  endpointOrigins: ['a list of origins', (value) => isList(value, (entry) => typeof entry === 'string' && URL.canParse(entry) && `${new URL(entry).origin}/` === new URL(entry).href)],
  scopeSeparator: oneOf('space', 'comma'),
  successStatuses: ['a list of statuses from 200 to 299', (value) => isList(value, (entry) => Number.isInteger(entry) && Number(entry) >= 200 && Number(entry) < 300)],
  responseFormat: oneOf('json', 'form'),
  tokenTypeDefault: oneOf('Bearer', 'DPoP'),
  tokenTypeMap: mapTo('Bearer', 'DPoP'),
  expiresIn: [
    'an object with unknownLifetimeMs (milliseconds), zeroMeans ("expired" or "unknown")',
    (value) => isMap(value, (entry, name) => (name === 'zeroMeans' ? entry === 'expired' || entry === 'unknown' : name === 'unknownLifetimeMs' && Number(entry) > 0 && Number.isFinite(entry))),
  ],
  expHint: ['true or false', (value) => typeof value === 'boolean'],
  rawMembers: ['a list of member names', (value) => isList(value, (entry) => typeof entry === 'string')],
  scopeOnRefresh: oneOf('omit', 'required'),
  rotation: oneOf('always', 'optional', 'none', 'unknown'),
  codeMap: mapTo('grant_revoked', 'interaction_required', 'client_rejected', 'request_rejected', 'server_error'),
};

/** The `preset` option: data of a known shape. */
export function checkPreset(value: Preset | undefined): Preset {
  if (value === undefined) return {};
  checkOptions('preset', value, Object.keys(checks));
  for (const [name, [expected, test]] of Object.entries(checks)) {
    const field: unknown = Reflect.get(value, name);
    if (field !== undefined && !test(field)) throw invalidOption(`preset.${name}`, expected, field);
  }
  return value;
}

function oneOf(...words: readonly string[]): Check {
  return [words.map((word) => `"${word}"`).join(' or '), (value) => words.some((word) => word === value)];
}

function mapTo(...words: readonly string[]): Check {
  const [expected, test] = oneOf(...words);
  return [`an object whose values are ${expected}`, (value) => isMap(value, test)];
}

function isList(value: unknown, test: (entry: unknown) => boolean): boolean {
  return Array.isArray(value) && value.every(test);
}

function isMap(value: unknown, test: (entry: unknown, name: string) => boolean): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && Object.entries(value).every(([name, entry]) => entry === undefined || test(entry, name));
}

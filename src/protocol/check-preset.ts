import { checkBoolean, checkCount, checkOptions, invalidOption } from '../core/check-option.js';
import type { Preset } from '../core/preset.js';

// The fields whose values are words, and those whose members' values are.
const words = {
  discovery: ['oidc', 'oauth'],
  scopeSeparator: ['space', 'comma'],
  responseFormat: ['json', 'form'],
  tokenTypeDefault: ['Bearer', 'DPoP'],
  scopeOnRefresh: ['omit', 'required'],
  rotation: ['always', 'optional', 'none', 'unknown'],
};
const maps = {
  tokenTypeMap: words.tokenTypeDefault,
  codeMap: ['grant_revoked', 'interaction_required', 'client_rejected', 'request_rejected', 'server_error'],
};
const lists = {
  endpointOrigins: (entry: unknown) => typeof entry === 'string' && URL.canParse(entry) && `${new URL(entry).origin}/` === new URL(entry).href,
  successStatuses: (entry: unknown) => typeof entry === 'number' && entry >= 200 && entry < 300,
  rawMembers: (entry: unknown) => typeof entry === 'string',
};

/** The `preset` option: data of a known shape. */
export function checkPreset(preset: Preset = {}): Preset {
  checkOptions('preset', preset, [...Object.keys({ ...words, ...maps, ...lists }), 'expiresIn', 'expHint']);
  for (const [name, allowed] of Object.entries(words)) checkWord(`preset.${name}`, Reflect.get(preset, name), allowed);
  for (const [name, allowed] of Object.entries(maps)) {
    const map: unknown = Reflect.get(preset, name);
    if (map === undefined) continue;
    checkOptions(`preset.${name}`, map);
    for (const [key, word] of Object.entries(Object(map))) checkWord(`preset.${name}.${key}`, word, allowed);
  }
  for (const [name, test] of Object.entries(lists)) {
    const list: unknown = Reflect.get(preset, name);
    if (list !== undefined && !(Array.isArray(list) && list.every(test))) throw invalidOption(`preset.${name}`, expectedEntries, list);
  }
  checkBoolean('preset.expHint', preset.expHint, false);
  const { expiresIn = {} } = preset;
  checkOptions('preset.expiresIn', expiresIn, ['unknownLifetimeMs', 'zeroMeans']);
  checkCount('preset.expiresIn.unknownLifetimeMs', expiresIn.unknownLifetimeMs, 1);
  checkWord('preset.expiresIn.zeroMeans', expiresIn.zeroMeans, ['expired', 'unknown']);
  return preset;
}

const expectedEntries = 'a list of origins, of 2xx statuses or of names, as documented';

function checkWord(option: string, value: unknown, allowed: readonly string[]): void {
  if (value !== undefined && !allowed.some((word) => word === value)) throw invalidOption(option, allowed.join(' or '), value);
}

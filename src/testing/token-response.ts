import type { ServerKnobs } from './server-knobs.js';

/** The text of a successful token response, and what it claims to be. */
export interface TokenResponseText {
  readonly text: string;
  readonly contentType: string | undefined;
}

type Members = Readonly<Record<string, unknown>>;

const json = 'application/json;charset=UTF-8';

const shapes: Readonly<Record<ServerKnobs['shape'], (members: Members) => TokenResponseText>> = {
  json: (members) => ({ text: JSON.stringify(members), contentType: json }),
  form: (members) => ({ text: formEncoded(members), contentType: 'application/x-www-form-urlencoded' }),
  wrongContentType: (members) => ({ text: JSON.stringify(members), contentType: 'text/plain' }),
  noContentType: (members) => ({ text: JSON.stringify(members), contentType: undefined }),
  bom: (members) => ({ text: `\uFEFF${JSON.stringify(members)}`, contentType: json }),
  html: () => ({ text: '<!doctype html><title>Sign in to Wi-Fi</title><form action="/login"><input name="user"></form>', contentType: 'text/html' }),
  empty: () => ({ text: '', contentType: json }),
  truncated: (members) => ({ text: JSON.stringify(members).slice(0, -10), contentType: json }),
  array: (members) => ({ text: JSON.stringify([members]), contentType: json }),
  null: () => ({ text: 'null', contentType: json }),
  proto: (members) => ({
    text: JSON.stringify(members).replace('{', '{"__proto__":{"polluted":true,"scope":"admin"},"constructor":{"prototype":{"polluted":true}},'),
    contentType: json,
  }),
  deep: (members) => ({ text: JSON.stringify(members).replace('{', `{"deep":${'['.repeat(50_000)}${']'.repeat(50_000)},`), contentType: json }),
  camelCase: (members) => ({ text: JSON.stringify(renamed(members)), contentType: json }),
  nested: (members) => ({ text: JSON.stringify({ ok: true, authed_user: members }), contentType: json }),
};

export function tokenResponse(members: Members, shape: ServerKnobs['shape']): TokenResponseText {
  return shapes[shape](members);
}

const scopeForms: Readonly<Record<ServerKnobs['scopeForm'], (scope: readonly string[]) => unknown>> = {
  string: (scope) => (scope.length === 0 ? undefined : scope.join(' ')),
  array: (scope) => scope,
  comma: (scope) => scope.join(','),
  absent: () => undefined,
  empty: () => '',
  reversed: (scope) => scope.toReversed().join(' '),
  urls: (scope) => scope.map((token) => `https://api.test/${token}`).join(' '),
};

/** The scope member; undefined: left out. */
export function scopeMember(scope: readonly string[], form: ServerKnobs['scopeForm']): unknown {
  return scopeForms[form](scope);
}

const tokenForms: Readonly<Record<Exclude<ServerKnobs['accessTokenForm'], 'same'>, (value: string) => string>> = {
  normal: (value) => value,
  empty: () => '',
  space: (value) => `${value.slice(0, 8)} ${value.slice(8)}`,
  crlf: (value) => `${value}\r\nx-injected: 1`,
  nonAscii: (value) => `${value}\u00e9`,
  bang: (value) => `00D!${value}`,
  long: (value) => value.padEnd(8 * 1024, 'x'),
  tooLong: (value) => value.padEnd(70 * 1024, 'x'),
};

/** What stands in the answer for the token that was just made. */
export function accessTokenMember(value: string, form: ServerKnobs['accessTokenForm'], previous: string | undefined): string {
  return form === 'same' ? (previous ?? value) : tokenForms[form](value);
}

function formEncoded(members: Members): string {
  const form = new URLSearchParams();
  for (const [name, value] of Object.entries(members)) if (value !== undefined && value !== null) form.set(name, String(value));
  return form.toString();
}

function renamed(members: Members): Members {
  return Object.fromEntries(Object.entries(members).map(([name, value]) => [name.replaceAll(/_(.)/g, (_, letter: string) => letter.toUpperCase()), value]));
}

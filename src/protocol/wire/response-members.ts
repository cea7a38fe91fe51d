/** The known members of a response body, in an object without a prototype. (`standards.md` P29) */
export type ResponseMembers = Readonly<Record<string, unknown>>;

/** Copies the named own members of a parsed object. */
export function pickMembers(source: object, names: readonly string[]): ResponseMembers;
export function pickMembers(source: object | undefined, names: readonly string[]): ResponseMembers | undefined;
export function pickMembers(source: object | undefined, names: readonly string[]): ResponseMembers | undefined {
  if (source === undefined) return undefined;
  const members: Record<string, unknown> = Object.create(null);
  for (const name of names) if (Object.hasOwn(source, name)) members[name] = Reflect.get(source, name);
  return members;
}

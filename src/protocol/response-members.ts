/** The known members of a response body, in an object without a prototype. (`standards.md` P29) */
export type ResponseMembers = Readonly<Record<string, unknown>>;

const deepest = 16;

/** The JSON object that a text holds; undefined when it is none, or nested deeper than 16 levels. (`standards.md` S12) */
export function parseObject(text: string): object | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) && isShallow(value, deepest) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Copies the named own members of a parsed object, or of form fields. */
export function pickMembers(source: object | URLSearchParams, names: readonly string[]): ResponseMembers {
  const members: Record<string, unknown> = Object.create(null);
  for (const name of names) {
    if (source instanceof URLSearchParams) members[name] = source.get(name) ?? undefined;
    else if (Object.hasOwn(source, name)) members[name] = Reflect.get(source, name);
  }
  return members;
}

function isShallow(value: unknown, levels: number): boolean {
  return typeof value !== 'object' || value === null || (levels > 0 && Object.values(value).every((member) => isShallow(member, levels - 1)));
}

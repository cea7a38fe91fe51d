const deepest = 16;

/** The JSON object that a text holds; undefined when it is none, or nested deeper than 16 levels. (`standards.md` S12) */
export function parseObject(text: string | undefined): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: Readonly<Record<string, unknown>> = JSON.parse(text ?? '');
    return Object(value) === value && !Array.isArray(value) && isShallow(value, deepest) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isShallow(value: unknown, levels: number): boolean {
  return typeof value !== 'object' || value === null || (levels > 0 && Object.values(value).every((member) => isShallow(member, levels - 1)));
}

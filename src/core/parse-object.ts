const deepest = 16;

/** The JSON object that a text holds; undefined when it is none, or nested deeper than `levels`. (`standards.md` S12) */
export function parseObject(text: string | undefined, levels: number = deepest): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: Readonly<Record<string, unknown>> = JSON.parse(text ?? '');
    return Object(value) === value && !Array.isArray(value) && isShallow(value, levels) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isShallow(value: unknown, levels: number): boolean {
  return typeof value !== 'object' || value === null || (levels > 0 && Object.values(value).every((member) => isShallow(member, levels - 1)));
}

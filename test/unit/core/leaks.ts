import { inspect } from 'node:util';

/** Pieces of a secret that are long enough to be worth something. */
const pieceLength = 8;

/** Everything that a value shows of itself, in the ways in which logs show values. */
export function shown(value: unknown): string {
  const ways = [
    () => inspect(value, { depth: 10, showHidden: true }),
    () => inspect(value, { depth: 10, showHidden: true, customInspect: false }),
    () => inspect(value, { depth: 10, getters: true }),
    () => JSON.stringify(value),
    () => `${String(value)}`,
    () => (typeof value === 'object' && value !== null ? JSON.stringify({ ...value }) : ''),
    () => (value instanceof Error ? causes(value) : ''),
  ];
  return ways.map((way) => attempt(way)).join('\n');
}

/** Which of the secrets stand in the text, if only by a piece of them. */
export function leaks(text: string, secrets: readonly string[]): string[] {
  return secrets.filter((secret) => {
    for (let start = 0; start + pieceLength <= secret.length; start++) if (text.includes(secret.slice(start, start + pieceLength))) return true;
    return false;
  });
}

function causes(error: Error): string {
  const { name, message, stack, cause } = error;
  return [name, message, stack, cause instanceof Error ? causes(cause) : inspect(cause, { depth: 10, showHidden: true })].join('\n');
}

// Some values cannot be shown in some way: functions as JSON, null prototypes as strings.
function attempt(way: () => unknown): string {
  try {
    return String(way());
  } catch {
    return '';
  }
}

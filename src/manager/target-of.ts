import type { TokenTarget } from '../core/token-source.js';

/** The target of a key: a manager may have many, so they are not kept. */
export function targetOf(key: string): TokenTarget {
  return JSON.parse(key || '{}');
}

/** What events call a target: enough for a person, nothing of the free parameters. */
export function targetLabel({ resource, audience, scope }: TokenTarget): string {
  return [resource, audience, scope].flat().filter(Boolean).join(' ') || 'default';
}

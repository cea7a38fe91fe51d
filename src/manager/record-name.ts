import type { Grant } from '../core/grant.js';
import { digest } from '../core/random.js';

/** What a grant's record is called in a store, and its lock: a digest, which tells nothing of the grant. (`standards.md` X2) */
export async function recordName(grant: Pick<Grant, 'id' | 'identity'>, targetKey = '', hash: typeof digest = digest): Promise<string> {
  return `tokenkeep:1:${await hash(JSON.stringify([grant.id, await grant.identity?.(), targetKey]))}`;
}

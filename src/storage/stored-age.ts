const toleranceMs = 60_000;
const ancientMs = 1e12;

/**
 * The age of what was written at `writtenAt`, both by the store's own clock. A write in the future means that this clock was
 * set back, or is another server's since a failover: such a value counts as ancient.
 */
export function storedAge(now: number, writtenAt: number): number {
  const age = now - writtenAt;
  return age < -toleranceMs ? ancientMs : Math.max(age, 0);
}

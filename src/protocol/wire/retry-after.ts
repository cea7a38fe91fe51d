const longestMs = 3_600_000;

/** `Retry-After` in milliseconds from `nowMs` (RFC 9110 §10.2.3), at most an hour; undefined when malformed or past. */
export function parseRetryAfter(header: string | null, nowMs: number): number | undefined {
  const value = header?.trim() ?? '';
  if (/^\d+$/.test(value)) return Math.min(Number(value) * 1000, longestMs);
  // Date.parse alone reads years into numbers such as "-1". The asctime form names no zone and means GMT.
  if (!/^[A-Z][a-z]{2,8},? .*\d\d:\d\d:\d\d/.test(value)) return undefined;
  const waitMs = Date.parse(value.endsWith(' GMT') ? value : `${value} GMT`) - nowMs;
  return waitMs > 0 ? Math.min(waitMs, longestMs) : undefined;
}

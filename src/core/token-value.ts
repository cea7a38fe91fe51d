/** Whether a value is an access token that fits into a header as it is. (`standards.md` P16) */
export function isTokenValue(value: unknown): value is string {
  return typeof value === 'string' && /^[\x21-\x7e]+$/.test(value);
}

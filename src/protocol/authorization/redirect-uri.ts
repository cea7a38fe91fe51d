import { invalidOption, isUri } from '../../core/check-option.js';
import { isSecureUrl } from '../../core/secure-url.js';

/**
 * The `redirectUri` option: an absolute URI without fragment; https, http on loopback or on a named origin, or an app's
 * own scheme with a dot in it (RFC 8252 §7.1). It is sent as it is written.
 */
export function checkRedirectUri(value: unknown, insecureOrigins: ReadonlySet<string>): string {
  const expected = 'an absolute URI without fragment: https, http on loopback, or a scheme of the app with a dot in it';
  if (!isUri(value) || value.includes('#')) throw invalidOption('redirectUri', expected, value);
  const url = new URL(value);
  if (url.username || url.password || !(isSecureUrl(url, insecureOrigins) || /^[a-z][\w+-]*\.[\w.+-]*:$/.test(url.protocol)))
    throw invalidOption('redirectUri', expected, value);
  return value;
}

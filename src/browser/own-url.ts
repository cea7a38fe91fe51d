import { invalidOption } from '../core/check-option.js';

/** A URL of this origin; others would make the application an open redirector. */
export function ownUrl(option: string, url: string): string {
  if (!URL.canParse(url, location.href) || new URL(url, location.href).origin !== location.origin) throw invalidOption(option, 'a URL of this origin', url);
  return new URL(url, location.href).href;
}

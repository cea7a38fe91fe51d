import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import type { IncomingMessage } from 'node:http';

/** Every credential that a server of this process was sent: access tokens, and how clients prove themselves. */
export function seenCredentials(): { readonly values: ReadonlySet<string>; stop(): void } {
  const values = new Set<string>();
  const note = (message: unknown): void => {
    const { request } = message as { readonly request: IncomingMessage };
    const value = request.headers.authorization?.split(' ')[1];
    if (value !== undefined) values.add(value);
  };
  subscribe('http.server.request.start', note);
  return { values, stop: () => void unsubscribe('http.server.request.start', note) };
}

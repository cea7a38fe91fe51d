let loaded: Promise<typeof import('./jose.js')> | undefined;

/** What signs, loaded once and only when something is signed: a service with a secret starts without it. */
export function loadJose(): Promise<typeof import('./jose.js')> {
  loaded ??= import('./jose.js');
  return loaded;
}

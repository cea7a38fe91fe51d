import type { Contestant } from './contestant.ts';

interface Entry {
  readonly name: string;
  /** Own set-ups lie outside `peers`. */
  readonly package: string | undefined;
  readonly load: () => Promise<Contestant>;
}

const peer = (name: string, packageName: string, load: () => Promise<{ contestant: Contestant }>): Entry => ({
  name,
  package: packageName,
  load: async () => (await load()).contestant,
});

/** Everyone who is measured. Loaded only in the process that measures it. */
export const contestants: readonly Entry[] = [
  { name: 'bare fetch', package: undefined, load: async () => (await import('./peers/bare-fetch.ts')).contestant },
  { name: 'bare ky', package: undefined, load: async () => (await import('./peers/bare-ky.ts')).contestant },
  { name: 'tokenkeep', package: undefined, load: async () => (await import('./tokenkeep.ts')).tokenkeep },
  { name: 'tokenkeep fetch', package: undefined, load: async () => (await import('./tokenkeep.ts')).tokenkeepFetch },
  ...['memory', 'SQLite', 'Redis', 'PostgreSQL'].map((kind) => ({
    name: `tokenkeep over ${kind}`,
    package: undefined,
    load: async () => (await import('./tokenkeep.ts')).tokenkeepOver(kind),
  })),
  peer('openid-client', 'openid-client', () => import('./peers/openid-client.ts')),
  peer('oauth4webapi', 'oauth4webapi', () => import('./peers/oauth4webapi.ts')),
  peer('google-auth-library', 'google-auth-library', () => import('./peers/google-auth-library.ts')),
  peer('badgateway', '@badgateway/oauth2-client', () => import('./peers/badgateway.ts')),
  peer('msal-node', '@azure/msal-node', () => import('./peers/msal-node.ts')),
  peer('simple-oauth2', 'simple-oauth2', () => import('./peers/simple-oauth2.ts')),
  peer('axios-auth-refresh', 'axios-auth-refresh', () => import('./peers/axios-auth-refresh.ts')),
];

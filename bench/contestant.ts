import type { StoreEnvironment } from '../examples/fleet/open-store.ts';

/** Where a contestant finds its servers. */
export interface Surroundings {
  /** Authorization server and API share one origin. */
  readonly origin: string;
  readonly lifetimeS: number;
  /** The API is no server but a function behind the global `fetch`: for ten thousand calls at once without as many sockets. */
  readonly inProcess: boolean;
  /** Where the stores are that processes share: what `openStore` of `examples/fleet` reads, by their kind. */
  readonly stores?: Readonly<Record<string, StoreEnvironment>> | undefined;
}

/** One library, set up as its documentation says. */
export interface Client {
  /** The token that the application asks for before a call. */
  readonly getToken?: (() => Promise<unknown>) | undefined;
  /** The first token of another process over the same store. */
  readonly coldToken?: (() => Promise<unknown>) | undefined;
  /** A GET with the token; resolves with the status when the body has been read. */
  readonly call?: ((url: string) => Promise<number>) | undefined;
  /** Keeps tokens for so many different targets, and returns what an application holds on to. */
  readonly hold?: ((count: number) => Promise<unknown>) | undefined;
}

export interface Contestant {
  open(surroundings: Surroundings): Client | Promise<Client>;
}

/** How long before expiry a renewal is due where the application says so: a minute, or half of a short life. */
export function marginMs({ lifetimeS }: Surroundings): number {
  return Math.min(60_000, lifetimeS * 500);
}

export const clientId = 'bench';
export const clientSecret = 'a-secret-of-the-bench';
/** Shape and length of what the server issues. */
export const tokenText = (serial: number): string => `${serial}.${'x'.repeat(880)}`;

// What the bench uses of the peers, so that its types are checked where they are not installed.

declare module 'openid-client' {
  export interface Configuration {
    serverMetadata(): object;
  }
  export interface Tokens {
    readonly access_token: string;
    expiresIn(): number | undefined;
  }
  export type ClientAuth = (server: object, client: object, body: URLSearchParams, headers: Headers) => void;
  export function ClientSecretBasic(secret: string): ClientAuth;
  export function allowInsecureRequests(config: Configuration): void;
  export function discovery(
    server: URL,
    clientId: string,
    metadata: string,
    auth: ClientAuth,
    options: { execute: ((config: Configuration) => void)[] },
  ): Promise<Configuration>;
  export function clientCredentialsGrant(config: Configuration, parameters?: Record<string, string>): Promise<Tokens>;
  export function fetchProtectedResource(config: Configuration, token: string, url: URL, method: string): Promise<Response>;
}

declare module 'google-auth-library' {
  export class OAuth2Client {
    constructor(options: {
      clientId: string;
      clientSecret: string;
      endpoints: { oauth2TokenUrl: string };
      forceRefreshOnFailure?: boolean;
      eagerRefreshThresholdMillis?: number;
      transporterOptions?: { fetchImplementation: (input: string | URL, init?: RequestInit) => Promise<Response> };
    });
    setCredentials(credentials: { refresh_token: string }): void;
    getAccessToken(): Promise<{ token?: string | null }>;
    request(options: { url: string; validateStatus?: (status: number) => boolean }): Promise<{ status: number }>;
  }
}

declare module '@badgateway/oauth2-client' {
  export interface OAuth2Token {
    accessToken: string;
    expiresAt: number | null;
    refreshToken: string | null;
  }
  export class OAuth2Client {
    constructor(settings: { server: string; clientId: string; clientSecret: string; tokenEndpoint: string });
    clientCredentials(parameters?: { resource: string }): Promise<OAuth2Token>;
  }
  export class OAuth2Fetch {
    constructor(options: { client: OAuth2Client; getNewToken: () => Promise<OAuth2Token> });
    getToken(): Promise<OAuth2Token>;
    fetch(url: string): Promise<Response>;
  }
}

declare module '@azure/msal-node' {
  export class ConfidentialClientApplication {
    constructor(options: {
      auth: { clientId: string; clientSecret: string; authority: string; knownAuthorities: string[]; authorityMetadata: string };
      system: { protocolMode: 'OIDC' };
    });
    acquireTokenByClientCredential(request: { scopes: string[] }): Promise<{ accessToken: string } | null>;
  }
}

declare module 'simple-oauth2' {
  export interface AccessToken {
    readonly token: Record<string, unknown>;
    expired(windowSeconds?: number): boolean;
  }
  export class ClientCredentials {
    constructor(options: { client: { id: string; secret: string }; auth: { tokenHost: string; tokenPath: string } });
    getToken(parameters: Record<string, string>): Promise<AccessToken>;
  }
}

declare module 'axios' {
  export interface AxiosInstance {
    get(url: string): Promise<{ status: number }>;
    post<T>(url: string, body: URLSearchParams): Promise<{ data: T }>;
    readonly interceptors: { readonly request: { use(intercept: (config: { headers: Record<string, string> }) => unknown): void } };
  }
  // Named by the types of axios-auth-refresh, which the compiler reads where they are installed.
  export type AxiosError = Error;
  export type AxiosRequestConfig = object;
  export type InternalAxiosRequestConfig = object;
  export function create(options: object): AxiosInstance;
}

declare module 'axios-auth-refresh' {
  import type { AxiosInstance } from 'axios';
  interface FailedRequest {
    readonly response: { readonly config: { readonly headers: Record<string, string> } };
  }
  export function createAuthRefresh(api: AxiosInstance, refresh: (failed: FailedRequest) => Promise<void>): void;
}

export { createAuthFetch } from './http/create-auth-fetch.js';
export { createHttpClient } from './http/create-http-client.js';
export { parseChallenges } from './http/parse-challenges.js';
export type { AuthFetch, AuthFetchOptions, AuthRequestInit } from './http/auth-fetch-options.js';
export type { HttpClientOptions } from './http/create-http-client.js';
export type { Challenge } from './http/parse-challenges.js';
export type { ResourceChallenge } from './http/read-refusal.js';
export type { HttpEvent } from './core/events.js';

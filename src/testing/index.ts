export type { ChallengeForm } from './challenge-forms.js';
export { type FakeAuthorizationServer, type FakeAuthorizationServerOptions, fakeAuthorizationServer, type ServerStats } from './fake-authorization-server.js';
export type { FakeGrant, FakeGrantRequest, FakeGrantResult, FakeGrantSuccess, OAuthFault } from './fake-grant.js';
export type { Endpoint, RecordedRequest } from './recorded-request.js';
export type { Latency, RawAnswer, ServerKnobs } from './server-knobs.js';
export type { GrantFamily, Refreshed } from './token-registry.js';
export { type VirtualClock, type VirtualClockOptions, virtualClock } from './virtual-clock.js';

export { createSession } from './browser/create-session.js';
export type {
  RenewalPlace,
  Session,
  SessionHttpOptions,
  SessionOptions,
  SessionSignInOptions,
  SessionSnapshot,
  SignOutOptions,
  TabReason,
} from './browser/session.js';
export type { IdTokenClaims } from './protocol/authorization/id-token.js';
export type { SignInOptions } from './protocol/authorization/sign-in-options.js';
export type { UserInfo } from './protocol/authorization/user-info.js';

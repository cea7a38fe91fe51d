export type { AccessToken, TokenRequestLine } from './core/access-token.js';
export type { Cipher } from './core/cipher.js';
export type { Clock, SleepOptions } from './core/clock.js';
export { isTokenError, TokenError, type TokenErrorCode, type TokenErrorDetails, type TokenErrorKind, type TokenErrorPhase } from './core/errors.js';
export type { HttpEvent, JournalEntry, RenewalReason, TokenEvent, WarningCode } from './core/events.js';
export type { Grant, GrantContext } from './core/grant.js';
export type { KeyStore } from './core/key-store.js';
export type { Lock, LockOptions } from './core/lock.js';
export type { Preset, RejectedToken } from './core/preset.js';
export { systemClock } from './core/system-clock.js';
export type { TokenSet, TokenType } from './core/token-set.js';
export type { GetTokenOptions, TokenSource, TokenTarget } from './core/token-source.js';
export type { AccountStore, Stored, StoreIndex, StorePage, StoreQuery, StoreWrite, TokenStore } from './core/token-store.js';
export { type LocalLockOptions, localLock } from './locks/local.js';
export { createTokenManager, type TokenManagerOptions } from './manager/create-token-manager.js';
export type { TokenManager, TokenSnapshot } from './manager/token-manager.js';
export { type MemoryStoreOptions, memoryStore } from './storage/memory.js';
export type { AuthorizationServerOptions } from './protocol/issuer/authorization-server.js';
export {
  type ClientAuth,
  type ClientSecret,
  type ClientSecretBasicOptions,
  clientSecretBasic,
  clientSecretPost,
  none,
} from './protocol/client-auth/client-auth.js';
export { clientAssertion } from './protocol/client-auth/client-assertion.js';
export { type ClientSecretJwtOptions, clientSecretJwt } from './protocol/client-auth/client-secret-jwt.js';
export { type PrivateKeyJwtOptions, privateKeyJwt } from './protocol/client-auth/private-key-jwt.js';
export type { KeyHeader, NamedPrivateKey, PrivateKeyNames, PrivateKeySource } from './protocol/client-auth/key-reader.js';
export type { AssertionOptions } from './protocol/client-auth/own-assertion.js';
export type { AssertionAlgorithm, PrivateKey } from './protocol/client-auth/signing-key.js';
export { type ClientCredentialsOptions, clientCredentials } from './protocol/grants/client-credentials.js';
export { type CustomGrantOptions, type CustomTokens, customGrant } from './protocol/grants/custom-grant.js';
export type { DevicePrompt } from './protocol/grants/device-authorization.js';
export { type DeviceCodeOptions, type DeviceGrant, deviceCode } from './protocol/grants/device-code.js';
export { type JwtBearerOptions, jwtBearer } from './protocol/grants/jwt-bearer.js';
export type { PresentedToken } from './protocol/grants/presented-token.js';
export { type RefreshTokenOptions, refreshToken } from './protocol/grants/refresh-token.js';
export { type Dpop, type DpopOptions, type DpopProofRequest, dpop } from './protocol/dpop/dpop.js';
export type { DpopAlgorithm, DpopKeyOptions } from './protocol/dpop/dpop-key.js';
export type { ServerMetadata } from './protocol/issuer/server-metadata.js';
export { type StaticTokenOptions, staticToken } from './protocol/grants/static-token.js';
export { type ExchangedToken, type TokenExchangeOptions, tokenExchange } from './protocol/grants/token-exchange.js';

export type { ClientMessage, EventMessage, HttpMessage, LockMessage, RenewalMessage, WaitMessage } from './server/diagnostics-messages.js';
export { createIntrospector, type Introspection, type IntrospectOptions, type Introspector, type IntrospectorOptions } from './protocol/introspection.js';
export type {
  AccountDetails,
  AccountEvent,
  AccountInfo,
  AccountPage,
  AccountQuery,
  Accounts,
  AccountsOptions,
  AccountState,
  AuthorizeOptions,
  Connected,
  ImportedAccount,
  ReconnectReason,
  SweepOptions,
  SweepReport,
} from './server/accounts.js';
export { createAccounts } from './server/create-accounts.js';
export { type MutualTlsOptions, mutualTls } from './server/mutual-tls.js';
export { createServiceClient, type ServiceClient, type ServiceClientOptions, type ServiceHttpOptions } from './server/service-client.js';

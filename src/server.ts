export { type MutualTlsOptions, mutualTls } from './server/mutual-tls.js';
export { createServiceClient, type ServiceClient, type ServiceClientOptions, type ServiceHttpOptions } from './server/service-client.js';

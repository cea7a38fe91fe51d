export { createServiceClient, type ServiceClient, type ServiceClientOptions, type ServiceHttpOptions } from './server/service-client.js';

import { TokenError, type TokenErrorPhase } from '../../core/errors.js';
import type { EndpointName, ServerMetadata } from './server-metadata.js';

/** An endpoint that the flow at hand cannot do without. @throws {TokenError} `discovery_failed`. */
export function requireEndpoint(metadata: ServerMetadata, name: EndpointName, phase: TokenErrorPhase): string {
  const endpoint = metadata[name];
  if (endpoint !== undefined) return endpoint;
  throw new TokenError('discovery_failed', `the metadata of ${metadata.issuer} names no ${name} that may be used`, { phase });
}

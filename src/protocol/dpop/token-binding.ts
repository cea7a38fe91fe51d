import type { Grant } from '../../core/grant.js';
import { digest } from '../../core/random.js';
import type { AuthorizationServer } from '../issuer/authorization-server.js';

/**
 * What binds a grant's tokens to their holder: the key of its proofs (RFC 9449), its certificate (RFC 8705 §3), and
 * whatever else (`own`) tells its record from that of another grant with the same id. (`standards.md` R1)
 */
export function bindingOf({ auth, dpop, time }: AuthorizationServer, own = ''): Pick<Grant, 'identity' | 'prove'> {
  const { mutualTls } = auth;
  return {
    ...((own || dpop || mutualTls) && {
      identity: async () => digest([own, await dpop?.thumbprint(), await mutualTls?.thumbprint()].filter(Boolean).join('.')),
    }),
    ...(dpop && { prove: (request, clock) => dpop.prove(request, time.now(clock)) }),
  };
}

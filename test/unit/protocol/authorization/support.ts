import type { SignInOptions } from '../../../../src/protocol/authorization/sign-in-options.js';
import { authorizationRequest } from '../../../../src/protocol/authorization/authorization-request.js';
import { readAuthorizationResponse } from '../../../../src/protocol/authorization/authorization-response.js';
import { type AuthorizationServer, type AuthorizationServerOptions, checkAuthorizationServer } from '../../../../src/protocol/issuer/authorization-server.js';
import type { AuthorizationTransaction } from '../../../../src/protocol/authorization/authorization-transaction.js';
import { redeemCode, type SignedIn } from '../../../../src/protocol/authorization/redeem-code.js';
import { fakeAuthorizationServer, type FakeAuthorizationServer, type ServerKnobs } from '../../../../src/testing/index.js';
import { context, standingClock, type TestClock, type TestContext } from '../wire.js';

export const redirectUri = 'https://app.example/cb';

/** A fake server and a client of it, on one clock. */
export interface World {
  readonly as: FakeAuthorizationServer;
  readonly server: AuthorizationServer;
  readonly clock: TestClock;
  readonly given: TestContext;
}

export function world(knobs: Partial<ServerKnobs> = {}, options: Partial<AuthorizationServerOptions> = {}, clock = standingClock()): World {
  const as = fakeAuthorizationServer({ clock, knobs });
  const server = checkAuthorizationServer('test', { issuer: as.issuer, clientId: 'app', fetch: as.fetch, ...options }, []);
  return { as, server, clock, given: context({ clock }) };
}

export interface Begun {
  readonly transaction: AuthorizationTransaction;
  readonly url: URL;
}

export async function begin({ server, given }: World, options: SignInOptions = { scope: 'openid' }, appState?: string): Promise<Begun> {
  const request = await authorizationRequest(server, options, { redirectUri, appState }, given);
  return { transaction: request.transaction, url: new URL(await request.url(given)) };
}

/** The callback that the user comes back with. */
export async function visit({ as }: World, { url }: Begun): Promise<string> {
  const callback = await as.visit(url.href);
  if (callback === undefined) throw new Error('the server shows a page');
  return callback;
}

export async function signIn(here: World, options?: SignInOptions): Promise<SignedIn & Begun> {
  const begun = await begin(here, options);
  const response = readAuthorizationResponse(await visit(here, begun), begun.transaction, here.clock);
  return { ...begun, ...(await redeemCode(here.server, begun.transaction, response, here.given)) };
}

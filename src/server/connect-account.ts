import { checkDuration, checkOptions, checkScope, checkString, invalidOption, checkBoolean } from '../core/check-option.js';
import { isTokenError } from '../core/errors.js';
import { instant } from '../core/instant.js';
import { readClaims } from '../core/read-claims.js';
import type { TokenSet } from '../core/token-set.js';
import { isTokenValue } from '../core/token-value.js';
import type { GrantRecord } from '../manager/state.js';
import { authorizationRequest } from '../protocol/authorization/authorization-request.js';
import { readAuthorizationResponse } from '../protocol/authorization/authorization-response.js';
import { redeemCode } from '../protocol/authorization/redeem-code.js';
import { signInOptionNames } from '../protocol/authorization/sign-in-options.js';
import type { AccountManagers } from './account-managers.js';
import { isOfAnother, isUnknown, readAccount, subjectMismatch, subjectOf, visible, withSubject } from './account-record.js';
import type { AccountSetup } from './account-setup.js';
import type { AuthorizeOptions, Connected, ImportedAccount } from './accounts.js';
import { pendingConnections } from './pending-connections.js';

/** What a connection works with. */
export interface ConnectTools {
  readonly setup: AccountSetup;
  readonly managers: AccountManagers;
}

/** Begins one: what belongs to it is in the store before the user is sent away. @throws {TokenError} */
export async function beginConnection(accountId: string, options: AuthorizeOptions, { setup }: ConnectTools): Promise<{ url: string; transaction: string }> {
  checkOptions('authorize', options, [...signInOptionNames, 'returnTo']);
  const { returnTo, ...request } = options;
  // It is the user's browser that comes back, with a request that a server sees.
  if (request.responseMode === 'fragment') throw invalidOption('responseMode', '"query": no server sees a fragment', request.responseMode);
  const { redirectUri, defaults, server } = setup;
  const appState = JSON.stringify({ accountId, returnTo: returnTo === undefined ? undefined : ownPath(returnTo, redirectUri) });
  const { transaction, url } = await authorizationRequest(server, request, { redirectUri, defaults, appState }, setup.context());
  const target = await url(setup.context());
  return { url: target, transaction: await pendingConnections(setup).add(transaction, accountId) };
}

/** Finishes one. @throws {TokenError} */
export async function finishConnection(request: Request | URL | string, options: unknown, tools: ConnectTools): Promise<Connected> {
  checkOptions('callback', options, ['transaction']);
  const { setup, managers } = tools;
  const { accountId, returnTo, transaction } = await pendingConnections(setup).take(Reflect.get(options, 'transaction'));
  const response = readAuthorizationResponse(addressOf(request), transaction, setup.clock);
  const { tokens, idTokenClaims } = await redeemCode(setup.server, transaction, response, setup.context());
  const subject = idTokenClaims?.sub ?? subjectOf({ raw: tokens.raw, idToken: undefined }, setup);
  const kept = managers.live(accountId);
  // Not revoked when it is refused: another account may live on the same grant at the server.
  const refuses = (record: GrantRecord): boolean => isOfAnother(record, subject, setup);
  await kept.recheck();
  await signIn(
    refuses(kept.record()),
    () => kept.signIn(withSubject(tokens, subject), { refuses, mustStore: true }),
    () => refuses(kept.record()),
  );
  return { accountId, ...(returnTo !== undefined && { returnTo }), raw: visible(tokens.raw, setup) };
}

/** Takes over an account from another database; false: there is one, or was. @throws {TokenError} */
export async function importAccount(accountId: string, account: ImportedAccount, { setup, managers }: ConnectTools): Promise<boolean> {
  const { tokens, subject, replace } = checkImported(account, setup);
  return managers.use(accountId, async (kept) => {
    const isTaken = (record: GrantRecord): boolean => !replace && !isUnknown(record);
    const isOther = (record: GrantRecord): boolean => subject !== undefined && isOfAnother(record, subject, setup);
    if (isTaken(await readAccount(kept))) return false;
    const refuses = (record: GrantRecord): boolean => isTaken(record) || isOther(record);
    try {
      await signIn(
        isOther(kept.record()),
        () => kept.signIn(tokens, { refuses, mustStore: true }),
        () => isOther(kept.record()),
      );
    } catch (error) {
      if (isTokenError(error) && error.code === 'session_changed' && isTaken(kept.record())) return false;
      throw error;
    }
    return true;
  });
}

// Somebody else may be first between the look and the write: the write looks again.
async function signIn(isRefused: boolean, write: () => Promise<void>, isRefusedNow: () => boolean): Promise<void> {
  if (isRefused) throw subjectMismatch();
  try {
    await write();
  } catch (error) {
    throw isTokenError(error) && error.code === 'session_changed' && isRefusedNow() ? subjectMismatch() : error;
  }
}

function checkImported(
  account: ImportedAccount,
  setup: AccountSetup,
): { readonly tokens: TokenSet; readonly subject: string | undefined; readonly replace: boolean } {
  checkOptions('account', account, ['refreshToken', 'accessToken', 'expiresInMs', 'scope', 'idToken', 'subject', 'raw', 'replace']);
  const { accessToken, expiresInMs, idToken, raw } = account;
  const refreshToken = checkString('refreshToken', account.refreshToken);
  if (accessToken !== undefined && !isTokenValue(accessToken)) throw invalidOption('accessToken', 'characters that fit into a header', accessToken);
  if (accessToken === undefined && expiresInMs !== undefined) throw invalidOption('expiresInMs', 'an accessToken beside it', expiresInMs);
  if (raw !== undefined) checkOptions('raw', raw);
  const told =
    account.subject === undefined ? readClaims(idToken === undefined ? '' : checkString('idToken', idToken))?.sub : checkString('subject', account.subject);
  const subject = told ?? subjectOf({ raw, idToken: undefined }, setup);
  const tokens: TokenSet = {
    accessToken: accessToken ?? '',
    tokenType: setup.server.dpop === undefined ? 'Bearer' : 'DPoP',
    sentAt: instant(setup.clock).wall,
    lifetimeMs: expiresInMs === undefined ? undefined : checkDuration('expiresInMs', expiresInMs, 0),
    scope: checkScope('scope', account.scope) ?? setup.defaults.scope ?? [],
    refreshToken,
    idToken,
    raw,
  };
  return { tokens: withSubject(tokens, subject), subject, replace: checkBoolean('replace', account.replace, false) };
}

// Proxies in front of a server change what a request says of its scheme and host.
function addressOf(request: Request | URL | string): string | URL {
  if (typeof request === 'string' || request instanceof URL) return request;
  const { url } = Object(request);
  if (typeof url !== 'string' || !URL.canParse(url)) throw invalidOption('request', 'a Request, a URL or a string', request);
  const { pathname, search } = new URL(url);
  return `${pathname}${search}`;
}

// Anything else would make the application an open redirector.
function ownPath(returnTo: unknown, redirectUri: string): string {
  const { origin } = new URL(redirectUri);
  const expected = "a path, or a URL of the redirect URI's origin";
  if (typeof returnTo !== 'string' || /[\\\p{Cc}]/u.test(returnTo) || !URL.canParse(returnTo, origin)) throw invalidOption('returnTo', expected, returnTo);
  const url = new URL(returnTo, origin);
  if (url.origin !== origin || !(returnTo.startsWith('/') || /^https?:/i.test(returnTo))) throw invalidOption('returnTo', expected, returnTo);
  return `${url.pathname}${url.search}${url.hash}`;
}

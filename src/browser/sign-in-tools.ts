import type { GrantContext } from '../core/grant.js';
import type { TokenParameters } from '../core/token-parameters.js';
import type { KeptTokens } from '../manager/kept-tokens.js';
import type { AuthorizationServer } from '../protocol/issuer/authorization-server.js';
import type { SessionSetup } from './session-setup.js';
import type { Renewal } from './tab-renewal.js';
import type { Transactions } from './transactions.js';

/** What sign-in and sign-out work with. */
export interface SignInTools {
  readonly setup: SessionSetup;
  readonly server: AuthorizationServer;
  readonly defaults: TokenParameters;
  readonly transactions: Transactions;
  readonly kept: KeptTokens;
  /** Whether the browser keeps nothing that two pages could share. */
  readonly isDegraded: () => Promise<boolean>;
  /** Ends each `state` of this session, so that sessions which share a redirect URI tell their callbacks apart. */
  readonly tag: string;
  /** Aborts when the session is disposed. */
  readonly gone: AbortSignal;
  readonly redeem: Renewal['redeem'];
  /** Callbacks that are being finished: a session ends after them. */
  readonly unfinished: Set<Promise<void>>;
  context(signal?: AbortSignal): GrantContext;
}

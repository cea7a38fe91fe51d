import { randomId } from '../core/random.js';
import type { FakeSignIn } from './id-token-issuer.js';
import type { ServerKnobs } from './server-knobs.js';

/** An access token that the fake server issued. */
export interface IssuedAccessToken {
  readonly value: string;
  readonly clientId: string;
  readonly scope: readonly string[];
  readonly resource: readonly string[];
  readonly audience: string | undefined;
  /** By the server's clock. */
  readonly expiresAt: number;
  readonly family: GrantFamily | undefined;
  /** Thumbprint of the DPoP key that it is bound to (RFC 9449 §6). */
  readonly jkt?: string | undefined;
  /** Thumbprint of the certificate that it is bound to (RFC 8705 §3). */
  readonly certificateThumbprint?: string | undefined;
}

/** All tokens that come from one sign-in. */
export interface GrantFamily {
  readonly clientId: string;
  readonly scope: readonly string[];
  /** Thumbprint of the DPoP key that its refresh tokens are bound to (RFC 9449 §5). */
  readonly jkt?: string | undefined;
  /** Who signed in, where somebody did. */
  signIn?: FakeSignIn | undefined;
  /** How many times the refresh token was replaced. */
  generation: number;
  revoked: boolean;
}

interface IssuedRefreshToken {
  readonly family: GrantFamily;
  readonly generation: number;
  readonly knownFrom: number;
  spentAt: number | undefined;
  lateUses: number;
  revoked: boolean;
}

/** What a refresh token gave: its family, and the refresh token for the answer. */
export interface Refreshed {
  readonly family: GrantFamily;
  readonly refreshToken: string | undefined;
}

/** Who spends a refresh token. */
export interface RefreshSender {
  readonly clientId: string;
  /** Thumbprint of the DPoP key that the request was signed with. */
  readonly jkt: string | undefined;
}

/** Every token that was issued, and whether it still lives. */
export class TokenRegistry {
  readonly #access = new Map<string, IssuedAccessToken>();
  readonly #refresh = new Map<string, IssuedRefreshToken>();
  readonly #last = new Map<string, string>();
  readonly #revokedAccess = new Set<string>();
  /** How many times a spent refresh token came back outside its grace. */
  reuses = 0;

  get accessTokens(): readonly IssuedAccessToken[] {
    return [...this.#access.values()];
  }

  get issued(): number {
    return this.#access.size;
  }

  lastAccessTokenOf(clientId: string): string | undefined {
    return this.#last.get(clientId);
  }

  addAccessToken(token: IssuedAccessToken): void {
    this.#access.set(token.value, token);
    this.#last.set(token.clientId, token.value);
  }

  /** The token, if the API should take it at this instant. */
  liveAccessToken(value: string, now: number): IssuedAccessToken | undefined {
    const token = this.#access.get(value);
    return token !== undefined && now < token.expiresAt && !this.#revokedAccess.has(value) ? token : undefined;
  }

  revokeAccessToken(value: string): boolean {
    if (this.#access.has(value)) this.#revokedAccess.add(value);
    return this.#access.has(value);
  }

  newFamily(clientId: string, scope: readonly string[], jkt?: string): GrantFamily {
    return { clientId, scope, jkt, generation: 0, revoked: false };
  }

  addRefreshToken(family: GrantFamily, generation: number, knownFrom: number): string {
    const value = `rt-${randomId()}`;
    family.generation = Math.max(family.generation, generation);
    this.#refresh.set(value, { family, generation, knownFrom, spentAt: undefined, lateUses: 0, revoked: false });
    return value;
  }

  isLiveRefreshToken(value: string): boolean {
    const token = this.#refresh.get(value);
    return token !== undefined && token.spentAt === undefined && !token.revoked && !token.family.revoked;
  }

  /** Spends a refresh token; undefined is `invalid_grant`. */
  refresh(value: string, { clientId, jkt }: RefreshSender, knobs: ServerKnobs, now: number): Refreshed | undefined {
    const token = this.#refresh.get(value);
    if (token === undefined || token.revoked || token.family.revoked || token.family.clientId !== clientId || now < token.knownFrom) return undefined;
    if (token.family.jkt !== undefined && token.family.jkt !== jkt) return undefined;
    if (token.spentAt !== undefined && !this.#inGrace(token, token.spentAt, knobs, now)) {
      this.reuses++;
      this.#punish(token, knobs.reuseRevokes);
      return undefined;
    }
    const { family } = token;
    if (knobs.refreshEndsAccessTokens) this.#revokeAccessOf(family);
    if (knobs.rotation !== 'rotate') return { family, refreshToken: knobs.rotation === 'same' ? value : undefined };
    token.spentAt ??= now;
    return { family, refreshToken: this.addRefreshToken(family, token.generation + 1, now + knobs.replicationLagMs) };
  }

  /** Ends the grant that a refresh or access token belongs to, and all its tokens. */
  revokeGrant(value: string): boolean {
    const family = this.#refresh.get(value)?.family ?? this.#access.get(value)?.family;
    if (family === undefined) return false;
    family.revoked = true;
    this.#revokeAccessOf(family);
    return true;
  }

  #inGrace(token: IssuedRefreshToken, spentAt: number, knobs: ServerKnobs, now: number): boolean {
    const near = knobs.graceFor === 'any' || token.generation >= token.family.generation - 1;
    return near && now - spentAt < knobs.graceMs && token.lateUses++ < knobs.graceUses;
  }

  #punish(token: IssuedRefreshToken, reuseRevokes: ServerKnobs['reuseRevokes']): void {
    token.revoked = true;
    if (reuseRevokes === 'token') return;
    token.family.revoked = true;
    if (reuseRevokes === 'familyAndAccess') this.#revokeAccessOf(token.family);
  }

  #revokeAccessOf(family: GrantFamily): void {
    for (const token of this.#access.values()) if (token.family === family) this.#revokedAccess.add(token.value);
  }
}

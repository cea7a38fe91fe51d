import type { RawAnswer } from './server-knobs.js';

/** How the fake server behaves at the grants and endpoints beyond RFC 6749. */
export interface GrantKnobs {
  // Device authorization (RFC 8628)
  /** Whether there is a device authorization endpoint. */
  deviceAuthorization: boolean;
  /** In place of the device authorization endpoint's answer. */
  deviceAnswer: RawAnswer | undefined;
  /** `interval` as it stands in the answer, any JSON value; undefined: left out. Polling faster is answered with `slow_down`. */
  deviceInterval: unknown;
  /** `expires_in` as it stands in the answer, any JSON value; undefined: left out. */
  deviceExpiresIn: unknown;
  /** Members that are added to the device authorization response or replace its own; undefined: left out. */
  deviceMembers: Readonly<Record<string, unknown>>;
  /** How many polls are answered with `authorization_pending` before the user has decided. */
  devicePending: number;
  /** How many polls are answered with `slow_down` before all others. */
  deviceSlowDowns: number;
  /** Whether `slow_down` names the new `interval`, as GitHub does. */
  slowDownNamesInterval: boolean;
  /** What the user decides. */
  deviceDecision: 'approved' | 'denied';
  /** How the server says that a code ran out. */
  deviceExpiredError: 'expired_token' | 'token_expired';

  // JWT bearer (RFC 7523)
  /** Whom assertions must be for. */
  bearerAudience: 'issuer' | 'token_endpoint' | 'either';
  /** How far the dates of an assertion may be off. */
  bearerLeewayMs: number;
  /** How long an assertion may be good for. */
  bearerLongestMs: number;

  // Introspection (RFC 7662)
  /** Whether there is an introspection endpoint. */
  introspection: boolean;
  /** In place of the introspection endpoint's answer. */
  introspectionAnswer: RawAnswer | undefined;
  /** Members that are added to what the introspection endpoint says of a live token; undefined: left out. */
  introspectionMembers: Readonly<Record<string, unknown>>;
}

export function defaultGrantKnobs(): GrantKnobs {
  return {
    deviceAuthorization: true,
    deviceAnswer: undefined,
    deviceInterval: 5,
    deviceExpiresIn: 600,
    deviceMembers: {},
    devicePending: 0,
    deviceSlowDowns: 0,
    slowDownNamesInterval: false,
    deviceDecision: 'approved',
    deviceExpiredError: 'expired_token',
    bearerAudience: 'either',
    bearerLeewayMs: 5_000,
    bearerLongestMs: 3_600_000,
    introspection: true,
    introspectionAnswer: undefined,
    introspectionMembers: {},
  };
}

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { maxTransactions, parseTransaction, transactionTtlMs } from '../../../../src/protocol/authorization/authorization-transaction.js';
import { begin, world } from './support.js';

describe('a transaction', () => {
  it('is the same after it was kept as JSON [A3]', async () => {
    for (const options of [
      {},
      { scope: 'openid a', resource: ['https://a.example/'], audience: 'b', maxAgeMs: 0, acrValues: 'x y', responseMode: 'fragment' as const },
    ]) {
      const { transaction } = await begin(world(), options, '');
      expect(JSON.parse(JSON.stringify(parseTransaction(JSON.stringify(transaction))))).toEqual(JSON.parse(JSON.stringify(transaction)));
      expect(Object.isFrozen(transaction)).toBe(true);
    }
    expect([transactionTtlMs, maxTransactions]).toEqual([600_000, 10]);
  });

  it('is none when a member is missing or of another type [A3]', async () => {
    const { transaction } = await begin(world(), { scope: 'openid', maxAgeMs: 5, acrValues: 'x', resource: 'https://a.example/', audience: 'b' }, 'app');
    const good = JSON.parse(JSON.stringify(transaction));
    expect(parseTransaction(JSON.stringify({ ...good, stranger: 1 }))).not.toHaveProperty('stranger');
    for (const name of Object.keys(good))
      for (const bad of [null, {}, [5], Number.NaN]) expect(parseTransaction(JSON.stringify({ ...good, [name]: bad }))).toBeUndefined();
    for (const name of ['state', 'issuer', 'clientId', 'redirectUri', 'responseMode', 'isIssuerNamed', 'createdAt'])
      expect(parseTransaction(JSON.stringify({ ...good, [name]: undefined }))).toBeUndefined();
  });

  it('is never anything else, whatever was kept [A3] [S12]', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        expect(parseTransaction(text)).toBeUndefined();
      }),
    );
  });
});

import { describe, expect, it } from 'vitest';
import { returnPercent, totals } from './figures';

describe('trade figures', () => {
  it('computes the return of both directions exactly', () => {
    expect(returnPercent({ side: 'buy', entry_price: '100', exit_price: '101.5' })).toBe('1.5');
    expect(returnPercent({ side: 'sell', entry_price: '100', exit_price: '101.5' })).toBe('-1.5');
    expect(returnPercent({ side: 'buy', entry_price: '0', exit_price: '1' })).toBeNull();
  });
  it('never adds different assets', () => {
    const sums = totals([
      { settle: 'USDT', net: '0.1', fees: '0.01' },
      { settle: 'BTC', net: '-0.001', fees: '0' },
      { settle: 'USDT', net: '0.2', fees: '0.02' },
    ]);
    expect(sums).toEqual([
      { asset: 'BTC', count: 1, net: '-0.001', fees: '0' },
      { asset: 'USDT', count: 2, net: '0.3', fees: '0.03' },
    ]);
  });
});

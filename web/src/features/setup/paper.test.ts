import { describe, expect, it } from 'vitest';
import type { ExchangeEntry } from '../../lib/api/types';
import { paperVenues } from './paper';

const credential = { api_key: 'k', api_secret: 's', passphrase: null };

function entry(changes: Partial<ExchangeEntry>): ExchangeEntry {
  const usual = { environments: ['live', 'simulated'], passphrase: 'none', demo_credential: credential };
  return { ...usual, ...changes } as ExchangeEntry;
}

describe('exchanges with paper money', () => {
  it('are those that are simulated here and hand out a whole credential', () => {
    const all = [
      entry({ exchange: 'bybit' }),
      entry({ exchange: 'binance', environments: ['live'] }),
      entry({ exchange: 'kraken_futures', demo_credential: null }),
      entry({ exchange: 'okx', passphrase: 'required' }),
      entry({ exchange: 'bitmex', environments: ['simulated'] }),
    ];
    expect(paperVenues(all).map((one) => one.exchange)).toEqual(['bybit', 'bitmex']);
    const whole = entry({ passphrase: 'required', demo_credential: { ...credential, passphrase: 'p' } });
    expect(paperVenues([whole])).toHaveLength(1);
  });
});

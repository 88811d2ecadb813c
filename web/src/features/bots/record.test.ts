import { describe, expect, it } from 'vitest';
import { readDecision, readTrade, verdictWord } from './record';

const record = {
  symbol: 'BTCUSDT',
  candle: 0,
  close: '66000.5',
  readings: [
    {
      component: 0,
      kind: 'ema_cross',
      role: 'signal',
      reading: { verdict: { kind: 'signal', direction: 'long' }, value: 1.25, limit: null },
    },
  ],
  score: '1',
  threshold: '2',
  wanted: 'neutral',
  blocks: [{ reason: 'NO_SIGNAL', component: null, value: 1, limit: 2 }],
  headline: 'NO_SIGNAL',
  done: 'nothing',
};

describe('engine records', () => {
  it('reads a decision as the engine writes it', () => {
    expect(readDecision(record)?.readings[0]?.reading.value).toBe(1.25);
  });
  it('does not guess at other shapes', () => {
    expect(readDecision({ ...record, readings: 'none' })).toBeNull();
    expect(readDecision(null)).toBeNull();
    expect(readTrade('text')).toBeNull();
  });
  it('keeps exact amounts of a trade as text', () => {
    expect(readTrade({ slippage_in_bps: '1.25', r_multiple: null })?.slippage_in_bps).toBe('1.25');
  });
  it('says what a component said', () => {
    expect(verdictWord({ kind: 'signal', direction: 'short' }).word).toBe('short');
    expect(verdictWord({ kind: 'check', long: 'pass', short: 'block' }).word).toBe('passes long only');
    expect(verdictWord({ kind: 'check', long: 'block', short: 'block' }).tone).toBe('danger');
    expect(verdictWord({ kind: 'warming_up' }).word).toBe('warming up');
  });
});

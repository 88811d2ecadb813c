import { describe, expect, it } from 'vitest';
import type { Candle, ChartData } from '../../lib/api/types';
import { candlesCsv, chartSummary, plotCandles, plotMarks, precisionOf } from './chartData';

const candle = (minute: number, close = '100.5'): Candle => ({
  open_time: minute * 60_000,
  open: '100',
  high: '101',
  low: '99',
  close,
  volume: '1',
});
const data = (candles: Candle[]): ChartData => ({
  candles,
  entries: [],
  exits: [],
  symbol: 'BTCUSDT',
  timeframe: '1m',
  stop: null,
  target: null,
});

describe('chart data', () => {
  it('orders candles and draws each time once, the newest wins', () => {
    const drawn = plotCandles([candle(2), candle(1), candle(2, '102')]);
    expect(drawn.map((item) => item.time)).toEqual([60, 120]);
    expect(drawn[1]?.close).toBe(102);
  });
  it('puts marks on the candle during which they happened and drops those before the first', () => {
    const marks = plotMarks({
      ...data([candle(1), candle(2)]),
      entries: [
        { at: 119_999, price: '100', quantity: '1', side: 'buy' },
        { at: 1, price: '100', quantity: '1', side: 'buy' },
      ],
      exits: [{ at: 500_000, price: '100', quantity: '1', side: 'sell', reason: 'EXIT_HARD_STOP' }],
    });
    expect(marks).toEqual([
      { time: 60, kind: 'entry', text: 'Long' },
      { time: 120, kind: 'exit', text: 'Hard stop' },
    ]);
  });
  it('describes itself in one sentence with exact prices', () => {
    expect(chartSummary(data([candle(1), candle(2, '1234.50')]), 'BTCUSDT')).toContain(
      'from 100 to 1,234.50 over 2 candles',
    );
    expect(chartSummary(data([]), 'BTCUSDT')).toBe('No candles of BTCUSDT.');
  });
  it('finds the precision and exports exact text', () => {
    expect(precisionOf([candle(1), candle(2, '0.00012')])).toBe(5);
    expect(candlesCsv([candle(0)]).split('\n')[1]).toBe('1970-01-01T00:00:00.000Z,100,101,99,100.5,1');
  });
});

import { describe, expect, it } from 'vitest';
import type { ProblemPart } from '../../lib/api/problem';
import type { Backtest, RecordedCandles } from '../../lib/api/types';
import { presetSettings } from '../bots/presets';
import { draftErrors, draftOf, draftRange, marketKey, newDraft, placed, request, together } from './draft';
import { common, offered, serves } from './library';

const DAY = 86_400_000;
const there = { from: Date.UTC(2024, 0, 1), until: Date.UTC(2024, 5, 1) };
const market = {
  exchange: 'bybit' as const,
  environment: 'live' as const,
  contract_type: 'linear' as const,
  symbol: 'BTCUSDT',
};
const filled = { ...newDraft(), templateId: 't1', markets: [marketKey(market)] };

describe('the form', () => {
  it('says everything that is wrong at once', () => {
    const wrong = { ...newDraft(), equity: '0', size: 'x', leverage: '0.5', makerFee: '1', slippage: '-1' };
    expect(Object.keys(draftErrors({ ...wrong, fundingRate: '' }, null))).toEqual([
      'templateId',
      'markets',
      'equity',
      'size',
      'leverage',
      'takerFee',
      'slippage',
      'fundingRate',
    ]);
    expect(draftErrors(filled, there)).toEqual({});
  });
  it('reads days only when they are chosen', () => {
    expect(draftRange({ ...filled, first: 'x' }, there)).toEqual({
      from: there.until - 90 * DAY,
      until: there.until,
    });
    expect(draftRange(filled, null)).toBeNull();
    const days = { ...filled, preset: 'custom' as const, first: '2024-01-02', last: '2024-01-01' };
    expect(draftErrors(days, there)).toEqual({ last: 'The last day lies before the first.' });
  });
  it('becomes a request with fractions instead of percent', () => {
    const draft = { ...filled, makerFee: '0.02', takerFee: '0.055', limits: 'off' as const };
    const sent = request(draft, [{ ...market, extra: 1 } as typeof market], there, null);
    expect(sent).toMatchObject({
      template_id: 't1',
      markets: [market],
      from: there.from,
      fees: { maker: '0.0002', taker: '0.00055' },
      funding: { mode: 'constant', rate: '0.0001' },
      limits: 'off',
      settings: { sizing: { mode: 'percent_equity', pct: '10' }, leverage: '1' },
    });
    expect(sent.markets[0]).toEqual(market);
    expect(sent).not.toHaveProperty('template_version');
    expect(request({ ...filled, version: 3 }, [market], there, null)).toMatchObject({ template_version: 3 });
    expect(request(filled, [market], there, null)).not.toHaveProperty('fees');
  });
  it('of a repeated run asks for the same run', () => {
    const settings = { ...presetSettings('normal'), warmup_candles: 7 };
    const run = {
      template: { id: 't1', name: 'Mine', version: 2 },
      markets: [market],
      ...there,
      assumed: {
        ...{ equity: '5000', settings, fees: { maker: '0.0002', taker: '0.00055' } },
        ...{
          slippage_bps: '3',
          funding: { mode: 'off' },
          limits: 'on',
          unsupported: 'neutral',
          gaps: 'accept',
        },
      },
    } as unknown as Backtest;
    const draft = draftOf(run);
    expect(draft).toMatchObject({ version: 2, first: '2024-01-01', last: '2024-05-31', makerFee: '0.02' });
    const range = draftRange(draft, null);
    expect(range).toEqual(there);
    const { slippage_bps, funding, limits, unsupported, gaps, equity, fees } = run.assumed;
    expect(request(draft, [market], there, settings)).toEqual({
      ...{ template_id: 't1', template_version: 2, markets: [market], ...there, settings },
      ...{ slippage_bps, funding, limits, unsupported, gaps, equity, fees },
    });
  });
  it('knows which markets one bot can trade', () => {
    expect(together(market, { ...market, symbol: 'ETHUSDT' })).toBe(true);
    expect(together(market, { ...market, environment: 'testnet' })).toBe(false);
  });
});

describe('problems of the server', () => {
  const part = (path: string, message: string, code = 'X'): ProblemPart => ({
    ...{ path, message, code, remedy: '' },
  });
  it('stand at their fields, the nearest one first', () => {
    const { errors, rest } = placed([
      part('/settings/leverage', 'Too much.'),
      part('/settings/limits/max_leverage', 'Too little.'),
      part('/markets/0', 'No candles.'),
      part('/markets/1/symbol', 'Unknown.'),
      part('/markets/0', 'Gaps.', 'BT_DATA_GAPS'),
      part('/elsewhere', 'Odd.'),
    ]);
    expect(errors).toEqual({
      leverage: 'Too much.',
      limits: 'Too little.',
      markets: 'No candles. Unknown.',
      gaps: 'Gaps.',
    });
    expect(rest.map(({ message }) => message)).toEqual(['Odd.']);
  });
});

describe('recorded candles', () => {
  const candles = (symbol: string, timeframe: string, from: number, until: number): RecordedCandles =>
    ({ ...market, symbol, timeframe, from, until, gaps: [] }) as unknown as RecordedCandles;
  it('serve longer timeframes that they divide', () => {
    expect([serves('1m', '4h'), serves('5m', '15m'), serves('3m', '5m'), serves('1h', '15m')]).toEqual([
      true,
      true,
      false,
      false,
    ]);
  });
  it('are offered once per market, those that reach furthest back', () => {
    const list = [candles('B', '1m', 5, 9), candles('B', '5m', 1, 9), candles('A', '1h', 1, 9)];
    expect(offered(list, '15m').map(({ symbol, timeframe }) => [symbol, timeframe])).toEqual([['B', '5m']]);
    expect(offered(list, null)).toHaveLength(2);
  });
  it('have a common time, or none', () => {
    expect(common([candles('A', '1m', 1, 9), candles('B', '1m', 5, 20)])).toEqual({ from: 5, until: 9 });
    expect(common([candles('A', '1m', 1, 5), candles('B', '1m', 5, 9)])).toBeNull();
    expect(common([])).toBeNull();
  });
});

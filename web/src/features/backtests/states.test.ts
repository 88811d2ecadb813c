import { describe, expect, it } from 'vitest';
import type { Backtest, BacktestResult } from '../../lib/api/types';
import { presetSettings } from '../bots/presets';
import { assumptionList } from './assumptions';
import { assumptionText, comparedIds, equityLines, equitySummary, figureText, overlapText } from './compare';
import { findingRemedy, remedy } from './failures';
import { passes } from './filters';
import { marketNames, percentOf, progressText, queueText, tabTitle, templateName } from './states';

const MINUS = '\u2212';
const at = Date.UTC(2025, 10, 3, 7);
const running = { state: 'running' as const, progress: { fraction: 0.629, at } };
const template = { id: 't', name: 'Trend', version: 2 };

describe('jobs', () => {
  it('say the simulated day and the share, never all of it before the end', () => {
    expect(progressText(running)).toBe('2025-11-03, 62 %');
    expect(percentOf({ ...running, progress: { fraction: 1, at } })).toBe(99);
    expect(progressText({ state: 'running', progress: null })).toBe('');
    expect(percentOf({ state: 'completed', progress: { fraction: 0.5, at } })).toBeNull();
  });
  it('name the tab by what matters first', () => {
    expect(tabTitle({ ...running, template })).toBe('62 % · Backtest');
    expect(tabTitle({ state: 'queued', progress: null, template })).toBe('Queued · Backtest');
    expect(tabTitle({ state: 'failed', progress: null, template })).toBe('Trend · Backtests');
  });
  it('wait at a place', () => {
    expect([null, 1, 3].map(queueText)).toEqual([
      'In the queue.',
      'Next in the queue.',
      'Place 3 in the queue.',
    ]);
  });
  it('name template and markets', () => {
    const markets = [{ symbol: 'BTCUSDT' }, { symbol: 'ETHUSDT' }] as Backtest['markets'];
    expect(templateName({ template })).toBe('Trend v2');
    expect(templateName({ template: { id: null, name: 'Draft', version: null } })).toBe('Draft');
    expect(marketNames(markets)).toBe('BTCUSDT and 1 more');
    expect(marketNames(markets.slice(0, 1))).toBe('BTCUSDT');
  });
  it('pass filters', () => {
    const run = { state: 'failed', template, markets: [{ symbol: 'BTCUSDT' }] } as unknown as Backtest;
    const all = { state: null, template: null, search: null };
    expect(passes(run, all)).toBe(true);
    expect(passes(run, { ...all, state: 'completed' })).toBe(false);
    expect(passes(run, { ...all, template: 'Other' })).toBe(false);
    expect(passes(run, { ...all, search: ' btc ' })).toBe(true);
    expect(passes(run, { ...all, search: 'eth' })).toBe(false);
  });
});

describe('remedies', () => {
  it('lead to what can be done', () => {
    expect(remedy('BT_NO_DATA').step).toBe('fetch');
    expect(remedy('BT_TEMPLATE_INVALID').step).toBe('template');
    expect(remedy('SOMETHING_NEW')).toEqual({ text: '', step: 'change' });
  });
  it('of findings appear only where another run is wanted', () => {
    expect(findingRemedy('BT_COMPONENT_UNSUPPORTED')).toBe('');
    expect(findingRemedy('BT_NO_TRADES')).toContain('blocked');
  });
});

describe('comparisons', () => {
  it('take two to four different results from the address', () => {
    expect(comparedIds('a,b,,a, c ,d,e')).toEqual(['a', 'b', 'c', 'd']);
    expect(comparedIds(null)).toEqual([]);
  });
  it('show figures, values and shared trades', () => {
    expect(figureText('trades', 1234)).toBe('1,234');
    expect(figureText('sharpe', -1.005)).toBe(`${MINUS}1.01`);
    expect(figureText('sharpe', null)).toBeNull();
    expect([null, 'x', 3, { a: 1 }].map(assumptionText)).toEqual(['—', 'x', '3', '{"a":1}']);
    expect(overlapText({ common: 31, only: [14, 1] })).toBe(
      '31 trades the same in all; 14 trades by A only, 1 trade by B only.',
    );
  });
  it('lay equities over each other in percent of their start', () => {
    const course = (...values: string[]) =>
      values.map((equity, index) => ({ at: index * 1_000, equity, drawdown: '0' }));
    const lines = equityLines({
      equity: [course('100', '110'), course('0.5', '0.4')],
    } as unknown as Parameters<typeof equityLines>[0]);
    expect(lines.map(({ name, points }) => [name, points.at(-1)?.value])).toEqual([
      ['A', '10'],
      ['B', '-20'],
    ]);
    expect(equitySummary(lines)).toBe(
      `Equity of 2 backtests in percent of the start: A ended at +10.00 %, B ended at ${MINUS}20.00 %.`,
    );
  });
});

describe('assumptions', () => {
  const report = {
    ...{ candles: 8_760, warmup_candles: 50, gaps: [] },
    assumptions: {
      ...{ from: at, until: at + 30 * 86_400_000, timeframe: '1h', asset: 'USDT', start_equity: '10000' },
      ...{ leverage: '2', maker_fee: '0.0002', taker_fee: '0.00055', funding: 'off', limits: 'on' },
      unsupported: 'neutral',
      fills: { slippage_bps: '1', decision: 'next_open', intrabar: 'stop_first' },
      settings: presetSettings('careful'),
    },
  } as unknown as BacktestResult;
  const text = (of: BacktestResult): Record<string, string> =>
    Object.fromEntries(assumptionList(of).map((item) => [item.name, item.text]));
  it('are whole sentences', () => {
    expect(text(report)).toMatchObject({
      Range: '2025-11-03 to 2025-12-03 UTC: 8,760 candles of 1h, 50 of history before them.',
      Size: 'Percent of equity: 10 %; leverage 2.',
      Fees: '0.0550 % for market orders and stops, 0.0200 % for resting orders.',
      Funding: 'Left out.',
      Gaps: 'No candle is missing.',
    });
  });
  it('count gaps and show words they do not know', () => {
    const other = { ...report, gaps: [{}], assumptions: { ...report.assumptions, funding: 'recorded' } };
    expect(text(other as unknown as BacktestResult)).toMatchObject({
      Funding: 'recorded',
      Gaps: '1 gap in the candles; nothing was decided or filled inside them.',
    });
  });
});

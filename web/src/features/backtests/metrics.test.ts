import { describe, expect, it } from 'vitest';
import type { BacktestMetrics } from '../../lib/api/types';
import { figureGroups, statistic } from './metrics';

const MINUS = '\u2212';

const metrics = {
  return_pct: 4.125,
  by_exit_reason: [],
  by_side: [],
  trades: {
    ...{ count: 57, wins: 30, losses: 27, even: 0, gross: '426', fees: '12.5', funding: '-1', net: '412.5' },
    ...{ win_rate_pct: 52.631_578, profit_factor: null, expectancy: '1', expectancy_r: null, payoff: 2 },
    ...{ average_win: '2', average_loss: '-1', best: '10', worst: '-5', win_streak: 3, loss_streak: 2 },
    ...{ average_holding_ms: 3_600_000, slippage_in_bps: 1, slippage_out_bps: -0.04, fees_of_gross_pct: 3 },
  },
  equity: {
    ...{ start: '10000', end: '10412.5', from: 0, until: 1, max_drawdown: null, max_drawdown_pct: 3.1 },
    ...{ sharpe: 1.234, sortino: null, cagr_pct: 12, calmar: null, exposure_pct: 40, months: [] },
  },
} as unknown as BacktestMetrics;

describe('statistics', () => {
  it('become decimal text, and unknown ones stay unknown', () => {
    expect(statistic(1234.5678)).toBe('1234.57');
    expect(statistic(-0.001)).toBe('0.00');
    expect(statistic(7, 0)).toBe('7');
    expect(statistic(null)).toBeNull();
    expect(statistic(Number.POSITIVE_INFINITY)).toBeNull();
  });
});

describe('figures', () => {
  const groups = figureGroups(metrics, 'USDT', -2.5);
  const figures = groups.flatMap((group) => group.figures);
  it('stand in groups with signs and units', () => {
    expect(groups.map(({ title }) => title)).toEqual(['Return', 'Risk', 'Trades', 'Costs']);
    expect(Object.fromEntries(figures.map(({ id, text }) => [id, text]))).toMatchObject({
      net: '+412.50 USDT',
      holding: `${MINUS}2.50 %`,
      sharpe: '1.23',
      held: '1 h',
      slippage_out: '0.0 bp',
    });
  });
  it('that are not defined have no value and are no zero', () => {
    const unknown = figures.filter(({ value }) => value === null).map(({ id, text }) => [id, text]);
    expect(unknown).toEqual([
      ['drawdown_amount', '—'],
      ['sortino', '—'],
      ['calmar', '—'],
      ['profit_factor', '—'],
      ['expectancy_r', '—'],
    ]);
  });
  it('are each defined by whole sentences', () => {
    for (const { definition } of figures) expect(definition).toMatch(/^[A-Z].*\.$/);
    expect(new Set(figures.map(({ id }) => id)).size).toBe(figures.length);
  });
  it('that are amounts can be hidden', () => {
    const amounts = figures.filter(({ amount }) => amount).map(({ id }) => id);
    expect(amounts).toContain('net');
    expect(amounts).not.toContain('sharpe');
  });
});

import { describe, expect, it } from 'vitest';
import type { BotSettings } from '../../lib/api/types';
import { LIMITS, limitError, readLimit, writeLimit, type LimitField } from './settingsFields';

const settings: BotSettings = {
  format: 1,
  sizing: { mode: 'percent_equity', pct: '10' },
  leverage: '1',
  limits: { max_positions_total: 2, daily_loss: { most: { pct: '2' }, when_hit: 'close_all' } },
};
const field = (name: string): LimitField => {
  const found = LIMITS.find((item) => item.path[0] === name);
  if (!found) throw new Error(name);
  return found;
};

describe('limits form', () => {
  it('reads plain and nested limits, empty when off', () => {
    expect(readLimit(settings, field('max_positions_total'))).toBe('2');
    expect(readLimit(settings, field('daily_loss'))).toBe('2');
    expect(readLimit(settings, field('weekly_loss_pct'))).toBe('');
  });
  it('changes one limit and keeps what it does not show', () => {
    const changed = writeLimit(settings, field('daily_loss'), '3.5');
    expect(changed.limits?.daily_loss).toEqual({ most: { pct: '3.5' }, when_hit: 'close_all' });
    expect(settings.limits?.daily_loss).toEqual({ most: { pct: '2' }, when_hit: 'close_all' });
  });
  it('switches on with the whole object and off with null', () => {
    const bare: BotSettings = { ...settings, limits: {} };
    expect(writeLimit(bare, field('daily_loss'), '1').limits?.daily_loss).toMatchObject({
      most: { pct: '1' },
    });
    expect(writeLimit(settings, field('max_positions_total'), '').limits?.max_positions_total).toBeNull();
  });
  it('does not switch off an amount through the percent field', () => {
    const amount: BotSettings = { ...settings, limits: { daily_loss: { most: { amount: '100' } } } };
    expect(writeLimit(amount, field('daily_loss'), '').limits?.daily_loss).toEqual({
      most: { amount: '100' },
    });
  });
  it('keeps whole limits whole and decimals exact', () => {
    expect(writeLimit(settings, field('max_positions_total'), '3').limits?.max_positions_total).toBe(3);
    expect(writeLimit(settings, field('max_slippage_bps'), '0.10').limits?.max_slippage_bps).toBe('0.10');
    expect(limitError(field('max_positions_total'), '1.5')).toBe('A whole number.');
    expect(limitError(field('max_slippage_bps'), '-1')).not.toBeNull();
    expect(limitError(field('max_slippage_bps'), '')).toBeNull();
  });
});

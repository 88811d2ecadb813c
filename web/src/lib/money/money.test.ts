import { describe, expect, it } from 'vitest';
import { add, compare, divide, multiply, placesOf, round, sign, subtract } from './decimal';
import {
  formatDecimal,
  formatFraction,
  formatMoney,
  formatPrice,
  formatStatistic,
  profitWord,
} from './format';

describe('decimal', () => {
  it('adds without binary rounding', () => {
    expect(add('0.1', '0.2')).toBe('0.3');
    expect(add('-1.50', '0.5')).toBe('-1');
    expect(add('9007199254740993.0001', '0.0001')).toBe('9007199254740993.0002');
  });
  it('subtracts, multiplies and divides', () => {
    expect(subtract('1', '1.0001')).toBe('-0.0001');
    expect(multiply('0.0003', '-66000.5')).toBe('-19.80015');
    expect(divide('1', '3', 6)).toBe('0.333333');
    expect(divide('1', '0', 6)).toBeNull();
  });
  it('compares and refuses what is no number', () => {
    expect(compare('1.10', '1.1')).toBe(0);
    expect(compare('-2', '1')).toBe(-1);
    expect(compare('NaN', '1')).toBeNull();
    expect(sign('1e5')).toBeNull();
    expect(add('', '1')).toBeNull();
  });
  it('rounds half away from zero and never writes minus zero', () => {
    expect(round('1.005', 2)).toBe('1.01');
    expect(round('-1.005', 2)).toBe('-1.01');
    expect(round('-0.001', 2)).toBe('0.00');
    expect(round('5', 3)).toBe('5.000');
    expect(round('9.99', 0)).toBe('10');
  });
  it('reads precision from a step', () => {
    expect(placesOf('0.00100')).toBe(3);
    expect(placesOf('5')).toBe(0);
  });
});

describe('format', () => {
  it('groups, signs with U+2212 and pads', () => {
    expect(formatDecimal('-1234567.5', { places: 2 })).toBe('\u22121,234,567.50');
    expect(formatDecimal('12', { sign: 'always' })).toBe('+12');
    expect(formatDecimal('0', { sign: 'always', places: 2 })).toBe('0.00');
    expect(formatDecimal('100')).toBe('100');
  });
  it('never shows 0 for unknown', () => {
    expect(formatDecimal(null)).toBe('\u2014');
    expect(formatDecimal(undefined)).toBe('\u2014');
    expect(formatDecimal('not a number')).toBe('\u2014');
    expect(formatMoney(null, 'USDT')).toBe('\u2014');
    expect(formatFraction(null)).toBe('\u2014');
  });
  it('shows money with the asset once and its precision', () => {
    expect(formatMoney('10000', 'USDT')).toBe('10,000.00 USDT');
    expect(formatMoney('0.12345678', 'BTC')).toBe('0.123457 BTC');
    expect(formatPrice('66120', '0.10')).toBe('66,120.0');
  });
  it('turns fractions into percent exactly', () => {
    expect(formatFraction('0.5')).toBe('50.00 %');
    expect(formatFraction('-0.01234')).toBe('\u22121.23 %');
    expect(formatFraction('1')).toBe('100.00 %');
  });
  it('names the direction in words', () => {
    expect(profitWord('0.1')).toBe('profit');
    expect(profitWord('-3')).toBe('loss');
    expect(profitWord('0')).toBe('even');
    expect(profitWord(null)).toBe('unknown');
  });
  it('shows statistics with a real minus', () => {
    expect(formatStatistic(-18.4321987)).toBe('\u221218.4322');
    expect(formatStatistic(null)).toBe('\u2014');
    expect(formatStatistic('')).toBe('\u2014');
  });
});

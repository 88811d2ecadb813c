import { describe, expect, it } from 'vitest';
import { changePercent, falls, linesCsv, plotLine, relative, thin, valueAt, type Line } from './curve';
import { monthTable } from './months';

const points = [
  { at: 1_000, value: '100' },
  { at: 2_000, value: '110' },
  { at: 3_000, value: '99' },
];

describe('equity lines', () => {
  it('give the library each second once, in order', () => {
    const shuffled = [points[2], points[0], points[1], { at: 1_900, value: '105' }].filter(
      (point) => point !== undefined,
    );
    expect(plotLine(shuffled)).toEqual([
      { time: 1, value: 105 },
      { time: 2, value: 110 },
      { time: 3, value: 99 },
    ]);
  });
  it('know their value between two points, and none before the first', () => {
    expect(valueAt(points, 999)).toBeNull();
    expect(valueAt(points, 1_000)).toBe('100');
    expect(valueAt(points, 2_500)).toBe('110');
    expect(valueAt(points, 9_999)).toBe('99');
    expect(valueAt([], 1)).toBeNull();
  });
  it('become comparable as changes in percent', () => {
    expect(relative(points).map(({ value }) => value)).toEqual(['0', '10', '-1']);
    expect(relative([{ at: 1, value: '0' }])).toEqual([]);
    expect(changePercent('0.3', '0.1')).toBe('-66.666666');
  });
  it('fall from the highest value so far', () => {
    expect(falls(points).map(({ value }) => value)).toEqual(['0', '0', '-10']);
  });
  it('are thinned evenly with both ends', () => {
    const items = Array.from({ length: 1_000 }, (_, index) => index);
    const few = thin(items, 11);
    expect(few).toHaveLength(11);
    expect([few[0], few[5], few[10]]).toEqual([0, 500, 999]);
    expect(thin(points, 10)).toEqual(points);
  });
  it('are written as CSV side by side', () => {
    const late: Line = { name: 'B, later', points: [{ at: 2_000, value: '50' }] };
    expect(linesCsv([{ name: 'A', points }, late]).split('\n')).toEqual([
      'time_utc,A,"B, later"',
      '1970-01-01T00:00:01.000Z,100,',
      '1970-01-01T00:00:02.000Z,110,50',
      '1970-01-01T00:00:03.000Z,99,50',
    ]);
  });
});

describe('months', () => {
  it('become one row per year with what the year brought', () => {
    const [first, second, ...rest] = monthTable([
      { month: '2024-11', start: '1000', change: '100', change_pct: 10 },
      { month: '2024-12', start: '1100', change: '-110', change_pct: -10 },
      { month: '2025-01', start: '990', change: '99', change_pct: 10 },
    ]);
    expect(rest).toEqual([]);
    expect(first).toMatchObject({ year: '2024', total: '-1' });
    expect(first?.months.slice(9)).toEqual([null, '10', '-10']);
    expect(second).toMatchObject({ year: '2025', total: '10' });
    expect(second?.months.slice(0, 2)).toEqual(['10', null]);
  });
  it('of nothing are no rows', () => {
    expect(monthTable([])).toEqual([]);
  });
});

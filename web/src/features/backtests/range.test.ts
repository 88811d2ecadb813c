import { describe, expect, it } from 'vitest';
import { dayStart, gapsWithin, lastDay, presetRange, stretches, typedRange } from './range';

const DAY = 86_400_000;
const there = { from: Date.UTC(2024, 0, 1), until: Date.UTC(2024, 1, 20) };

describe('ranges', () => {
  it('of presets end with the newest candle and never begin before the first', () => {
    expect(presetRange('30', there)).toEqual({ from: there.until - 30 * DAY, until: there.until });
    expect(presetRange('365', there)).toEqual(there);
    expect(presetRange('all', there)).toEqual(there);
  });
  it('that are typed hold both days', () => {
    const typed = typedRange('2024-01-31', '2024-01-31');
    expect(typed).toEqual({ from: Date.UTC(2024, 0, 31), until: Date.UTC(2024, 1, 1) });
    expect('from' in typed && lastDay(typed)).toBe('2024-01-31');
  });
  it('that are none name the wrong field', () => {
    expect(typedRange('2024-02-30', '2024-03-01')).toMatchObject({ wrong: 'from' });
    expect(typedRange('2024-02-01', 'soon')).toMatchObject({ wrong: 'until' });
    expect(typedRange('2024-02-02', '2024-02-01')).toMatchObject({ wrong: 'until' });
    expect(dayStart('2023-02-29')).toBeNull();
  });
  it('show what is missing inside them only', () => {
    const gaps = [
      { from: 0, until: there.from + DAY },
      { from: there.from + 2 * DAY, until: there.from + 5 * DAY },
      { from: there.until, until: there.until + DAY },
    ];
    expect(gapsWithin(there, gaps)).toEqual([gaps[1], { from: there.from, until: there.from + DAY }]);
  });
  it('become a bar of candles and gaps', () => {
    const bar = stretches({ from: 0, until: 10 }, { from: 2, until: 20 }, [{ from: 4, until: 5 }]);
    expect(bar).toEqual([
      { kind: 'missing', start: 0, width: 1 },
      { kind: 'there', start: 0.2, width: 0.8 },
      { kind: 'missing', start: 0.4, width: 0.09999999999999998 },
    ]);
    expect(stretches({ from: 5, until: 5 }, null, [])).toEqual([]);
  });
});

import { describe, expect, it } from 'vitest';
import { clock, day, duration, exactMoment, readable, relative, shortMoment } from './format';

const at = Date.UTC(2026, 10, 21, 13, 2, 31);

describe('time', () => {
  it('shows the same moment in the zone asked for', () => {
    expect(clock(at, 'UTC')).toBe('13:02:31');
    expect(clock(at, 'Europe/Berlin')).toBe('14:02:31');
    expect(day(at, 'UTC')).toBe('21 Nov 2026');
  });
  it('names the year only when it is another one', () => {
    expect(shortMoment(at, at, 'UTC')).toBe('21 Nov 13:02');
    expect(shortMoment(at, Date.UTC(2027, 1, 1), 'UTC')).toBe('21 Nov 2026 13:02');
  });

  it('shows instants inside sentences in the same way', () => {
    const text = 'The test succeeded at 2026-11-21T10:26:59.242Z, then at 2026-11-21T23:30:00Z.';
    expect(readable(text, at, 'Europe/Berlin')).toBe(
      'The test succeeded at 21 Nov 11:26, then at 22 Nov 00:30.',
    );
    expect(readable('Since 2026.', at, 'UTC')).toBe('Since 2026.');
  });
  it('crosses midnight with the zone', () => {
    expect(day(Date.UTC(2026, 10, 21, 23, 30), 'Asia/Tokyo')).toBe('22 Nov 2026');
  });
  it('names the zone in exact moments', () => {
    expect(exactMoment(at, 'UTC')).toBe('21 Nov 2026, 13:02:31 UTC');
  });
  it('writes lengths in two units at most', () => {
    expect(duration(12_400)).toBe('12 s');
    expect(duration(7_800_000)).toBe('2 h 10 min');
    expect(duration(90_000_000)).toBe('1 d 1 h');
    expect(duration(-5)).toBe('0 s');
  });
  it('writes relative times in both directions', () => {
    expect(relative(at - 180_000, at)).toBe('3 min ago');
    expect(relative(at + 300_000, at)).toBe('in 5 min');
    expect(relative(at - 1_000, at)).toBe('just now');
  });
});

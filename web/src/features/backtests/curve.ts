// From equity points to what the chart draws, to tables and to words. Floats here are pixels in waiting; what is shown
// as a number comes from the decimal text.

import { compare, divide, multiply, subtract, toPlot } from '../../lib/money/decimal';

export interface Point {
  /** Milliseconds UTC. */
  at: number;
  /** Decimal text. */
  value: string;
}

/** A line of the chart. Its look is its place in the list: color and dashes go together. */
export interface Line {
  name: string;
  /** Oldest first. */
  points: readonly Point[];
  /** Something to compare with, drawn thin and dotted. */
  reference?: boolean;
}

/** Points in order, each second once (the last one counts), for the library. */
export function plotLine(points: readonly Point[]): { time: number; value: number }[] {
  const bySecond = new Map<number, number>();
  for (const point of points) bySecond.set(Math.floor(point.at / 1000), toPlot(point.value));
  return [...bySecond].map(([time, value]) => ({ time, value })).toSorted((a, b) => a.time - b.time);
}

/** The last value at or before an instant, or null before the line begins. */
export function valueAt(points: readonly Point[], at: number): string | null {
  let low = 0;
  let high = points.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((points[middle]?.at ?? Infinity) <= at) low = middle + 1;
    else high = middle;
  }
  return points[low - 1]?.value ?? null;
}

/** Every instant of any line, oldest first. */
export function instants(lines: readonly Line[]): number[] {
  const found = new Set<number>();
  for (const line of lines) for (const point of line.points) found.add(point.at);
  return [...found].toSorted((a, b) => a - b);
}

/** At most `most` of the items, evenly spread, first and last among them. */
export function thin<T>(items: readonly T[], most: number): T[] {
  if (items.length <= most) return [...items];
  const step = (items.length - 1) / (most - 1);
  return Array.from({ length: most }, (_, index) => items[Math.round(index * step)] as T);
}

/** Each value in percent of the line's first, less 100: lines of different starts become comparable. */
export function relative(points: readonly Point[]): Point[] {
  const first = points[0]?.value;
  if (first === undefined) return [];
  return points.flatMap(({ at, value }) => {
    const change = changePercent(first, value);
    return change === null ? [] : [{ at, value: change }];
  });
}

/** The change from one amount to another in percent, to six digits; null when it is not defined. */
export function changePercent(from: string, to: string): string | null {
  if (compare(from, '0') !== 1) return null;
  const moved = subtract(to, from);
  const hundredfold = moved === null ? null : multiply(moved, '100');
  return hundredfold === null ? null : divide(hundredfold, from, 6);
}

/** Falls below the highest value so far, in percent of it, as numbers of zero or less. */
export function falls(points: readonly Point[]): Point[] {
  let peak: string | null = null;
  return points.flatMap(({ at, value }) => {
    if (peak === null || compare(value, peak) === 1) peak = value;
    const fall = changePercent(peak, value);
    return fall === null ? [] : [{ at, value: fall }];
  });
}

/** The lines as comma-separated values, times in ISO 8601 UTC; a cell stays empty before its line begins. */
export function linesCsv(lines: readonly Line[]): string {
  const quoted = (text: string): string => (/[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  const head = ['time_utc', ...lines.map((line) => quoted(line.name))].join(',');
  const rows = instants(lines).map((at) =>
    [new Date(at).toISOString(), ...lines.map((line) => valueAt(line.points, at) ?? '')].join(','),
  );
  return [head, ...rows].join('\n');
}

/** The equity of a result as points of a line. */
export function equityOf(points: readonly { at: number; equity: string }[]): Point[] {
  return points.map(({ at, equity }) => ({ at, value: equity }));
}

/** What holding would have made of the same equity, as a line to compare with; none when it is not known. */
export function holdingLine(points: readonly { at: number; equity: string }[]): Line[] {
  return points.length < 2 ? [] : [{ name: 'Buy and hold', points: equityOf(points), reference: true }];
}

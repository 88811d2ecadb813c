// From the server's decimal text to what the chart library draws, and to words. Floats here are pixels in waiting.

import type { Candle, ChartData, Side } from '../../lib/api/types';
import { toPlot } from '../../lib/money/decimal';
import { formatDecimal } from '../../lib/money/format';
import { codeShort } from '../../lib/text/codes';

export interface Mark {
  /** Opening time of the candle it belongs to, in seconds. */
  time: number;
  kind: 'entry' | 'exit';
  text: string;
}

/** Digits after the point that any price of these candles uses, at most 10. */
export function precisionOf(candles: readonly Candle[]): number {
  const digits = (text: string): number => (text.split('.')[1] ?? '').length;
  const most = candles
    .slice(-50)
    .reduce((max, candle) => Math.max(max, digits(candle.close), digits(candle.open)), 0);
  return Math.min(most, 10);
}

/** Candles in order of time, each time once, in seconds. */
export function plotCandles(
  candles: readonly Candle[],
): { time: number; open: number; high: number; low: number; close: number }[] {
  const byTime = new Map<number, Candle>();
  for (const candle of candles) byTime.set(candle.open_time, candle);
  return [...byTime.values()]
    .toSorted((a, b) => a.open_time - b.open_time)
    .map((candle) => ({
      time: Math.floor(candle.open_time / 1000),
      open: toPlot(candle.open),
      high: toPlot(candle.high),
      low: toPlot(candle.low),
      close: toPlot(candle.close),
    }));
}

/** Entries and exits on the candle during which they happened, in order of time. */
export function plotMarks(data: ChartData): Mark[] {
  const times = data.candles.map((candle) => candle.open_time).toSorted((a, b) => a - b);
  const candleOf = (at: number): number | null => {
    let found: number | null = null;
    for (const time of times) {
      if (time > at) break;
      found = time;
    }
    return found;
  };
  const word = (side: Side): string => (side === 'buy' ? 'Long' : 'Short');
  const marks: Mark[] = [];
  for (const entry of data.entries) {
    const time = candleOf(entry.at);
    if (time !== null) marks.push({ time: time / 1000, kind: 'entry', text: word(entry.side) });
  }
  for (const exit of data.exits) {
    const time = candleOf(exit.at);
    if (time !== null)
      marks.push({ time: time / 1000, kind: 'exit', text: exit.reason ? codeShort(exit.reason) : 'Exit' });
  }
  return marks.toSorted((a, b) => a.time - b.time);
}

/** One sentence on the whole chart. */
export function chartSummary(data: ChartData, symbol: string): string {
  const ordered = data.candles.toSorted((a, b) => a.open_time - b.open_time);
  const first = ordered[0];
  const last = ordered.at(-1);
  if (!first || !last) return `No candles of ${symbol}.`;
  return (
    `${symbol} went from ${formatDecimal(first.open)} to ${formatDecimal(last.close)} over ${ordered.length} candles; ` +
    `${data.entries.length} entries, ${data.exits.length} exits.`
  );
}

/** The candles as comma-separated values, times in ISO 8601 UTC. */
export function candlesCsv(candles: readonly Candle[]): string {
  const rows = candles.map((candle) =>
    [
      new Date(candle.open_time).toISOString(),
      candle.open,
      candle.high,
      candle.low,
      candle.close,
      candle.volume,
    ].join(','),
  );
  return ['open_time,open,high,low,close,volume', ...rows].join('\n');
}

// Which recorded candles serve a template: those of its timeframe, or shorter ones that can be put together.

import type { RecordedCandles, Timeframe } from '../../lib/api/types';
import { marketKey } from './draft';
import type { Range } from './range';

const MINUTES: Record<Timeframe, number> = {
  '1m': 1,
  '3m': 3,
  '5m': 5,
  '15m': 15,
  '30m': 30,
  '1h': 60,
  '2h': 120,
  '4h': 240,
  '6h': 360,
  '12h': 720,
  '1d': 1440,
};

export const TIMEFRAMES = Object.keys(MINUTES) as Timeframe[];

/** Can candles of one length be put together to candles of another? */
export function serves(recorded: Timeframe, wanted: Timeframe): boolean {
  return MINUTES[wanted] % MINUTES[recorded] === 0;
}

/** For every market the recorded candles that serve a timeframe, of several the ones that reach furthest back. */
export function offered(recorded: readonly RecordedCandles[], wanted: Timeframe | null): RecordedCandles[] {
  const best = new Map<string, RecordedCandles>();
  for (const candles of recorded) {
    if (wanted !== null && !serves(candles.timeframe, wanted)) continue;
    const known = best.get(marketKey(candles));
    if (!known || candles.from < known.from) best.set(marketKey(candles), candles);
  }
  return [...best.values()].toSorted((a, b) => marketKey(a).localeCompare(marketKey(b)));
}

/** The time for which all of them have candles; null when there is none. */
export function common(recorded: readonly Range[]): Range | null {
  if (recorded.length === 0) return null;
  const from = Math.max(...recorded.map((candles) => candles.from));
  const until = Math.min(...recorded.map((candles) => candles.until));
  return until > from ? { from, until } : null;
}

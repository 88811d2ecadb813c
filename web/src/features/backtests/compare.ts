// Results side by side. What differs and which figure is better is the server's word; here it is put into cells and
// sentences.

import type { BacktestComparison } from '../../lib/api/types';
import { formatDecimal } from '../../lib/money/format';
import { count } from '../../lib/text/words';
import { equityOf, relative, type Line } from './curve';
import { statistic } from './metrics';

/** So many results fit side by side. */
export const MOST = 4;
const LETTERS = ['A', 'B', 'C', 'D'];

/** Figures that count something. */
const WHOLE = new Set(['trades', 'loss_streak']);

/** A letter for each result, so that a line, a column and a sentence mean the same one. */
export const letter = (place: number): string => LETTERS[place] ?? String(place + 1);

/** The ids in an address, each once, at most four. */
export function comparedIds(text: string | null): string[] {
  const ids = (text ?? '').split(',').map((id) => id.trim());
  return [...new Set(ids.filter(Boolean))].slice(0, MOST);
}

/** A figure of the comparison as shown; null when it is not defined. */
export function figureText(name: string, value: number | null): string | null {
  const text = statistic(value, WHOLE.has(name) ? 0 : 2);
  return text === null ? null : formatDecimal(text);
}

/** A value of a differing assumption as one line. */
export function assumptionText(value: unknown): string {
  if (value === null || value === undefined) return '—';
  if (typeof value === 'string') return value;
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : JSON.stringify(value);
}

/** "31 trades are the same in all. 14 trades were made by A only." */
export function overlapText({ common, only }: BacktestComparison['trades']): string {
  const own = only.map((n, place) => `${count(n, 'trade')} by ${letter(place)} only`);
  return `${count(common, 'trade')} the same in all; ${own.join(', ')}.`;
}

/** Each equity in percent of its start, so that different amounts and assets can lie over each other. */
export function equityLines(comparison: BacktestComparison): Line[] {
  return comparison.equity.map((points, place) => ({
    name: letter(place),
    points: relative(equityOf(points)),
  }));
}

/** One sentence for people who do not see the lines. */
export function equitySummary(lines: readonly Line[]): string {
  const ends = lines.map(
    ({ name, points }) =>
      `${name} ended at ${formatDecimal(points.at(-1)?.value, { places: 2, sign: 'always' })} %`,
  );
  return `Equity of ${count(lines.length, 'backtest')} in percent of the start: ${ends.join(', ')}.`;
}

// Returns by month, one row per year. Months are those of UTC, as the simulated days are.

import type { BacktestMonth } from '../../lib/api/types';
import { add } from '../../lib/money/decimal';
import { changePercent } from './curve';

export interface YearRow {
  year: string;
  /** Twelve returns in percent as decimal text; null for months outside the run. */
  months: (string | null)[];
  /** Of the part of the year that lies in the run. */
  total: string | null;
}

/** Months in order of time as rows of a table. */
export function monthTable(months: readonly BacktestMonth[]): YearRow[] {
  const rows = new Map<string, YearRow>();
  let yearStart = '0';
  for (const { month, start, change } of months) {
    const [year = '', number = ''] = month.split('-');
    let row = rows.get(year);
    if (!row) {
      row = { year, months: Array.from({ length: 12 }, () => null), total: null };
      rows.set(year, row);
      yearStart = start;
    }
    const end = add(start, change);
    row.months[Number(number) - 1] = end === null ? null : changePercent(start, end);
    row.total = end === null ? null : changePercent(yearStart, end);
  }
  return [...rows.values()];
}

export const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

// Which runs a list shows.

import type { Backtest } from '../../lib/api/types';

export interface Filters {
  state: string | null;
  /** A template's name. */
  template: string | null;
  /** Part of a market's name. */
  search: string | null;
}

/** Does a run pass all filters that are set? */
export function passes(
  run: Pick<Backtest, 'state' | 'template' | 'markets'>,
  { state, template, search }: Filters,
): boolean {
  if (state && run.state !== state) return false;
  if (template && run.template.name !== template) return false;
  const wanted = (search ?? '').trim().toLowerCase();
  return !wanted || run.markets.some(({ symbol }) => symbol.toLowerCase().includes(wanted));
}

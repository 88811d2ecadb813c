// Figures of trades that are computed here, exactly, from decimal text.

import type { Trade } from '../../lib/api/types';
import { add, divide, multiply, subtract } from '../../lib/money/decimal';

/** Price move in the trade's favor, in percent of the entry, before costs. Null when it cannot be computed. */
export function returnPercent(trade: Pick<Trade, 'side' | 'entry_price' | 'exit_price'>): string | null {
  const moved = subtract(trade.exit_price, trade.entry_price);
  const signed = moved === null ? null : trade.side === 'buy' ? moved : multiply(moved, '-1');
  const hundredfold = signed === null ? null : multiply(signed, '100');
  return hundredfold === null ? null : divide(hundredfold, trade.entry_price, 6);
}

export interface Total {
  asset: string;
  count: number;
  net: string | null;
  fees: string | null;
}

/** Sums per settlement asset; different assets are never added. */
export function totals(trades: readonly Pick<Trade, 'settle' | 'net' | 'fees'>[]): Total[] {
  const sums = new Map<string, Total>();
  for (const trade of trades) {
    const sum = sums.get(trade.settle) ?? { asset: trade.settle, count: 0, net: '0', fees: '0' };
    sum.count += 1;
    sum.net = sum.net === null ? null : add(sum.net, trade.net);
    sum.fees = sum.fees === null ? null : add(sum.fees, trade.fees);
    sums.set(trade.settle, sum);
  }
  return [...sums.values()].toSorted((a, b) => a.asset.localeCompare(b.asset));
}

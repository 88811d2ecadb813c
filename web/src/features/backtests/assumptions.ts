// What a result rests on, as a list of names and sentences. Shown with every result.

import type { BacktestResult } from '../../lib/api/types';
import { formatDecimal, formatFraction, formatMoney } from '../../lib/money/format';
import { count } from '../../lib/text/words';
import { SIZE_MODES, sizeOf } from './draft';
import { dayText, lastDay } from './range';

export interface Assumption {
  name: string;
  text: string;
}

const DECISION: Record<string, string> = {
  next_open: 'A decision at a candle’s close fills at the next candle’s open.',
  same_close: 'A decision fills at the close it was made on, as if that were known a moment before.',
};
const INTRABAR: Record<string, string> = {
  stop_first: 'When one candle reaches both stop and target, the stop counts.',
  target_first: 'When one candle reaches both stop and target, the target counts.',
};
const FUNDING: Record<string, string> = {
  off: 'Left out.',
  constant: 'The same rate at every funding time.',
  history: 'As recorded.',
};
const UNSUPPORTED: Record<string, string> = {
  refuse: 'None was missing: the run would have been refused.',
  neutral: 'Signals that need more counted as neutral; such filters, guards and gates were left out.',
};

const grouped = (n: number): string => formatDecimal(String(n));

/** All assumptions of a report, in the order shown. */
export function assumptionList(report: BacktestResult): Assumption[] {
  const { assumptions, candles, warmup_candles: warmup, gaps } = report;
  const { fills, settings } = assumptions;
  const [mode, unit] = SIZE_MODES[settings.sizing.mode];
  const range = { from: assumptions.from, until: assumptions.until };
  return [
    {
      name: 'Range',
      text: `${dayText(range.from)} to ${lastDay(range)} UTC: ${grouped(candles)} candles of ${assumptions.timeframe}, ${grouped(warmup)} of history before them.`,
    },
    { name: 'Start', text: formatMoney(assumptions.start_equity, assumptions.asset) },
    {
      name: 'Size',
      text: `${mode}: ${formatDecimal(sizeOf(settings.sizing))} ${unit}; leverage ${formatDecimal(assumptions.leverage)}.`,
    },
    {
      name: 'Fills',
      text: [DECISION[fills.decision], INTRABAR[fills.intrabar]].filter(Boolean).join(' '),
    },
    {
      name: 'Stops',
      text: 'A stop that the open has jumped over fills at the open. A trailing level counts from the next candle.',
    },
    {
      name: 'Fees',
      text: `${formatFraction(assumptions.taker_fee, { places: 4 })} for market orders and stops, ${formatFraction(assumptions.maker_fee, { places: 4 })} for resting orders.`,
    },
    {
      name: 'Slippage',
      text: `Market orders and stops fill ${formatDecimal(fills.slippage_bps)} basis points worse.`,
    },
    { name: 'Funding', text: FUNDING[assumptions.funding] ?? assumptions.funding },
    {
      name: 'Limits',
      text: assumptions.limits === 'on' ? 'Held as live.' : 'Ignored, as if none were set.',
    },
    {
      name: 'Gaps',
      text:
        gaps.length === 0
          ? 'No candle is missing.'
          : `${count(gaps.length, 'gap')} in the candles; nothing was decided or filled inside them.`,
    },
    { name: 'Other data', text: UNSUPPORTED[assumptions.unsupported] ?? assumptions.unsupported },
  ];
}

// The figures of a result in groups, with their definitions, as text. What is not defined stays unknown, never zero.
// The numbers come from the server; only their looks are decided here.

import type { BacktestMetrics } from '../../lib/api/types';
import { formatDecimal, formatMoney, UNKNOWN } from '../../lib/money/format';
import { duration } from '../../lib/time/format';

export interface Figure {
  id: string;
  title: string;
  /** What it is and how it is computed. */
  definition: string;
  /** As shown; an em dash when it is not defined. */
  text: string;
  /** As a decimal number; null when it is not defined. */
  value: string | null;
  /** An amount of money, which the eye button hides. */
  amount: boolean;
}

export interface FigureGroup {
  title: string;
  figures: readonly Figure[];
}

/** A statistic as decimal text with so many digits, or null. */
export function statistic(value: number | null | undefined, places = 2): string | null {
  if (value === null || value === undefined || !Number.isFinite(value)) return null;
  const digits = new Intl.NumberFormat('en-US', {
    minimumFractionDigits: places,
    maximumFractionDigits: places,
    useGrouping: false,
  }).format(value);
  return /^-0(\.0*)?$/.test(digits) ? digits.slice(1) : digits;
}

type Row = [id: string, title: string, shown: Shown, definition: string];
interface Shown {
  text: string;
  value: string | null;
  amount?: true;
}

const percent = (value: number | null | undefined, sign: 'negative' | 'always' = 'negative'): Shown => {
  const text = statistic(value);
  return { text: text === null ? UNKNOWN : `${formatDecimal(text, { sign })} %`, value: text };
};
const ratio = (value: number | null | undefined): Shown => {
  const text = statistic(value);
  return { text: formatDecimal(text), value: text };
};
const whole = (value: number): Shown => ({ text: formatDecimal(String(value)), value: String(value) });
const money = (
  amount: string | null | undefined,
  asset: string,
  sign: 'negative' | 'always' = 'negative',
): Shown => ({ text: formatMoney(amount, asset, { sign }), value: amount ?? null, amount: true });

/** All figures of a run whose profit is counted in `asset`. */
export function figureGroups(metrics: BacktestMetrics, asset: string, holding: number | null): FigureGroup[] {
  const { trades, equity } = metrics;
  const groups: [string, Row[]][] = [
    [
      'Return',
      [
        [
          'net',
          'Net profit',
          money(trades.net, asset, 'always'),
          'Gross profit of all completed trades, less fees, plus or minus funding.',
        ],
        [
          'return',
          'Return',
          percent(metrics.return_pct, 'always'),
          'Net profit in percent of the starting equity.',
        ],
        [
          'end',
          'Equity at the end',
          money(equity.end, asset),
          'Starting equity and everything earned or lost, with a position that is still open at its last price.',
        ],
        [
          'holding',
          'Buy and hold',
          percent(holding, 'always'),
          'Change of the price over the same time: what holding would have brought, leverage and costs apart.',
        ],
        [
          'cagr',
          'Annual growth',
          percent(equity.cagr_pct, 'always'),
          'The yearly rate that turns the equity at the start into that at the end. Misleading for runs shorter than a year.',
        ],
      ],
    ],
    [
      'Risk',
      [
        [
          'drawdown',
          'Largest drawdown',
          percent(equity.max_drawdown_pct),
          'Greatest fall from the highest equity so far, in percent of that equity.',
        ],
        [
          'drawdown_amount',
          'Largest drawdown, amount',
          money(equity.max_drawdown?.amount, asset),
          'The same fall as an amount.',
        ],
        [
          'sharpe',
          'Sharpe ratio',
          ratio(equity.sharpe),
          'Mean daily return over its standard deviation, for 365 days a year and a risk-free rate of 0. Not defined under two days.',
        ],
        [
          'sortino',
          'Sortino ratio',
          ratio(equity.sortino),
          'Like the Sharpe ratio, counting only days that lost.',
        ],
        ['calmar', 'Calmar ratio', ratio(equity.calmar), 'Annual growth over the largest drawdown.'],
        [
          'exposure',
          'Time in positions',
          percent(equity.exposure_pct),
          'Share of the candles during which a position was open.',
        ],
      ],
    ],
    [
      'Trades',
      [
        ['count', 'Trades', whole(trades.count), 'Completed trades: from the first entry to the last exit.'],
        [
          'win_rate',
          'Win rate',
          percent(trades.win_rate_pct),
          'Wins over wins and losses. Trades that ended at zero count apart.',
        ],
        [
          'profit_factor',
          'Profit factor',
          ratio(trades.profit_factor),
          'Sum of all wins over the sum of all losses. Not defined without a loss.',
        ],
        ['expectancy', 'Expectancy', money(trades.expectancy, asset, 'always'), 'Mean net profit per trade.'],
        [
          'expectancy_r',
          'Expectancy in R',
          ratio(trades.expectancy_r),
          'Mean net profit in multiples of what the hard stop would have lost.',
        ],
        [
          'average_win',
          'Average win',
          money(trades.average_win, asset, 'always'),
          'Mean of the trades that earned.',
        ],
        [
          'average_loss',
          'Average loss',
          money(trades.average_loss, asset, 'always'),
          'Mean of the trades that lost.',
        ],
        ['payoff', 'Payoff', ratio(trades.payoff), 'Average win over average loss.'],
        ['best', 'Best trade', money(trades.best, asset, 'always'), 'The largest net profit of one trade.'],
        [
          'worst',
          'Worst trade',
          money(trades.worst, asset, 'always'),
          'The smallest net profit of one trade.',
        ],
        ['loss_streak', 'Losses in a row', whole(trades.loss_streak), 'Longest run of losing trades.'],
        ['win_streak', 'Wins in a row', whole(trades.win_streak), 'Longest run of winning trades.'],
        [
          'held',
          'Average holding time',
          held(trades.average_holding_ms),
          'Mean time from the first entry to the last exit.',
        ],
      ],
    ],
    [
      'Costs',
      [
        [
          'gross',
          'Profit before costs',
          money(trades.gross, asset, 'always'),
          'What the price moves alone brought.',
        ],
        ['fees', 'Fees', money(trades.fees, asset), 'Paid for entries and exits; negative for rebates.'],
        [
          'funding',
          'Funding',
          money(trades.funding, asset, 'always'),
          'Received from, or when negative paid to, the other side of the market.',
        ],
        [
          'fees_share',
          'Fees of gross moves',
          percent(trades.fees_of_gross_pct),
          'Fees in percent of all gross profits and losses together.',
        ],
        [
          'slippage_in',
          'Entry slippage',
          basisPoints(trades.slippage_in_bps),
          'Mean difference between the decision’s price and the entry; positive is worse.',
        ],
        [
          'slippage_out',
          'Exit slippage',
          basisPoints(trades.slippage_out_bps),
          'Mean difference between the exit’s level and its price; positive is worse.',
        ],
      ],
    ],
  ];
  return groups.map(([title, rows]) => ({ title, figures: rows.map(figure) }));
}

function figure([id, title, { text, value, amount }, definition]: Row): Figure {
  return { id, title, text, value, definition, amount: amount ?? false };
}

function held(ms: number | null | undefined): Shown {
  if (ms === null || ms === undefined) return { text: UNKNOWN, value: null };
  return { text: duration(ms), value: String(ms) };
}

function basisPoints(value: number | null | undefined): Shown {
  const text = statistic(value, 1);
  return { text: text === null ? UNKNOWN : `${formatDecimal(text)} bp`, value: text };
}

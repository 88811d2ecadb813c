// The form of a new backtest as typed; what is wrong with it before the server is asked; the request made of it; and the
// form filled from a run that is to be repeated. The server checks again and knows more; its words win.

import type { Backtest, BacktestMarket, BotSettings, NewBacktest, Sizing } from '../../lib/api/types';
import type { ProblemPart } from '../../lib/api/problem';
import { compare, divide, isDecimal, multiply, sign } from '../../lib/money/decimal';
import { presetSettings, type Preset } from '../bots/presets';
import { dayText, lastDay, presetRange, typedRange, type PresetId, type Range } from './range';

export type SizeMode = Sizing['mode'];
export type LimitChoice = Preset | 'same' | 'off';

export interface Draft {
  templateId: string;
  /** An older version; null takes the newest. */
  version: number | null;
  /** Keys of markets, see `marketKey`. */
  markets: readonly string[];
  /** A preset's id, or `custom`. */
  preset: PresetId | 'custom';
  /** Days in UTC, for `custom`. */
  first: string;
  last: string;
  equity: string;
  sizeMode: SizeMode;
  size: string;
  leverage: string;
  /** Percent; both empty take the exchange's. */
  makerFee: string;
  takerFee: string;
  slippage: string;
  funding: 'off' | 'constant';
  /** Percent per funding time. */
  fundingRate: string;
  limits: LimitChoice;
  unsupported: 'refuse' | 'neutral';
  gaps: 'refuse' | 'accept';
}

export type DraftErrors = Partial<Record<keyof Draft, string>>;

/** What a new form starts with. */
export function newDraft(): Draft {
  return {
    templateId: '',
    version: null,
    markets: [],
    preset: '90',
    first: '',
    last: '',
    equity: '10000',
    sizeMode: 'percent_equity',
    size: '10',
    leverage: '1',
    makerFee: '',
    takerFee: '',
    slippage: '1',
    funding: 'constant',
    fundingRate: '0.01',
    limits: 'careful',
    unsupported: 'refuse',
    gaps: 'refuse',
  };
}

export const SIZE_MODES: Record<SizeMode, [title: string, unit: string, help: string]> = {
  percent_equity: ['Percent of equity', '%', 'Each position is worth this share of the equity.'],
  fixed_notional: ['Fixed value', 'quote', 'Each position is worth this much in quote currency.'],
  fixed_quantity: ['Fixed quantity', 'units', 'Each position has this quantity.'],
  risk_per_trade: [
    'Risk per trade',
    '%',
    'Each position loses this share of the equity when its hard stop is reached.',
  ],
};

/** The number of a size, whatever its mode. */
export function sizeOf(sizing: Sizing): string {
  if (sizing.mode === 'fixed_quantity') return sizing.quantity;
  return sizing.mode === 'fixed_notional' ? sizing.quote : sizing.pct;
}

/** One text for a market, for lists and addresses. */
export const marketKey = (market: BacktestMarket): string =>
  [market.environment, market.exchange, market.contract_type, market.symbol].join('/');

/** Can two markets be traded by one bot? Only of one exchange, environment and contract type. */
export function together(a: BacktestMarket, b: BacktestMarket): boolean {
  return a.exchange === b.exchange && a.environment === b.environment && a.contract_type === b.contract_type;
}

const positive = (text: string): boolean => isDecimal(text) && sign(text) === 1;
const notNegative = (text: string): boolean => isDecimal(text) && sign(text) !== -1;

/** What is wrong with what was typed, by field. Nothing when it can be sent. */
export function draftErrors(draft: Draft, there: Range | null): DraftErrors {
  const errors: DraftErrors = {};
  if (!draft.templateId) errors.templateId = 'Choose a template.';
  if (draft.markets.length === 0) errors.markets = 'Choose a market.';
  if (!positive(draft.equity)) errors.equity = 'A number above zero.';
  if (!positive(draft.size)) errors.size = 'A number above zero.';
  if (!isDecimal(draft.leverage) || compare(draft.leverage, '1') === -1)
    errors.leverage = 'A number of 1 or more.';
  const fees = [draft.makerFee.trim(), draft.takerFee.trim()];
  if (fees.some(Boolean)) {
    if (!isDecimal(draft.makerFee)) errors.makerFee = 'A number in percent; both or none.';
    if (!isDecimal(draft.takerFee)) errors.takerFee = 'A number in percent; both or none.';
  }
  if (!notNegative(draft.slippage)) errors.slippage = 'A number of zero or more.';
  if (draft.funding === 'constant' && !isDecimal(draft.fundingRate))
    errors.fundingRate = 'A number in percent.';
  const range = draftRange(draft, there);
  if (range && 'wrong' in range) errors[range.wrong === 'from' ? 'first' : 'last'] = range.text;
  return errors;
}

/** The range that is meant; null while a preset has nothing to measure from. */
export function draftRange(draft: Draft, there: Range | null): ReturnType<typeof typedRange> | null {
  if (draft.preset === 'custom') return typedRange(draft.first, draft.last);
  return there && presetRange(draft.preset, there);
}

const fraction = (percent: string): string => divide(percent.trim(), '100', 12) ?? percent;
const percent = (of: string): string => multiply(of, '100') ?? of;

/** What is sent. Call it only with a draft without errors. */
export function request(
  draft: Draft,
  markets: readonly BacktestMarket[],
  range: Range,
  same: BotSettings | null,
): NewBacktest {
  const preset = draft.limits === 'off' || draft.limits === 'same' ? 'careful' : draft.limits;
  const settings = draft.limits === 'same' && same ? same : presetSettings(preset);
  return {
    template_id: draft.templateId,
    ...(draft.version === null ? {} : { template_version: draft.version }),
    markets: markets.map(({ exchange, environment, contract_type, symbol }) => ({
      exchange,
      environment,
      contract_type,
      symbol,
    })),
    from: range.from,
    until: range.until,
    equity: draft.equity.trim(),
    settings: { ...settings, sizing: sizing(draft), leverage: draft.leverage.trim() },
    ...(draft.makerFee.trim()
      ? { fees: { maker: fraction(draft.makerFee), taker: fraction(draft.takerFee) } }
      : {}),
    slippage_bps: draft.slippage.trim(),
    funding:
      draft.funding === 'off' ? { mode: 'off' } : { mode: 'constant', rate: fraction(draft.fundingRate) },
    limits: draft.limits === 'off' ? 'off' : 'on',
    unsupported: draft.unsupported,
    gaps: draft.gaps,
  };
}

function sizing(draft: Pick<Draft, 'sizeMode' | 'size'>): Sizing {
  const value = draft.size.trim();
  if (draft.sizeMode === 'fixed_quantity') return { mode: draft.sizeMode, quantity: value };
  if (draft.sizeMode === 'fixed_notional') return { mode: draft.sizeMode, quote: value };
  return { mode: draft.sizeMode, pct: value };
}

/** The form of a run that is to be repeated, also with changes. */
export function draftOf(run: Backtest): Draft {
  const { assumed } = run;
  return {
    ...newDraft(),
    templateId: run.template.id ?? '',
    version: run.template.id ? run.template.version : null,
    markets: run.markets.map(marketKey),
    preset: 'custom',
    first: dayText(run.from),
    last: lastDay(run),
    equity: assumed.equity,
    sizeMode: assumed.settings.sizing.mode,
    size: sizeOf(assumed.settings.sizing),
    leverage: assumed.settings.leverage,
    makerFee: assumed.fees ? percent(assumed.fees.maker) : '',
    takerFee: assumed.fees ? percent(assumed.fees.taker) : '',
    slippage: assumed.slippage_bps,
    funding: assumed.funding.mode === 'off' ? 'off' : 'constant',
    fundingRate: assumed.funding.mode === 'constant' ? percent(assumed.funding.rate) : '0.01',
    limits: assumed.limits === 'off' ? 'off' : 'same',
    unsupported: assumed.unsupported,
    gaps: assumed.gaps,
  };
}

/** Where a server's problem belongs in the form, by the beginning of its path; the longest beginning wins. */
const PLACES: readonly [path: string, field: keyof Draft][] = [
  ['/template', 'templateId'],
  ['/document', 'templateId'],
  ['/timeframe', 'templateId'],
  ['/markets', 'markets'],
  ['/from', 'first'],
  ['/until', 'last'],
  ['/equity', 'equity'],
  ['/settings', 'limits'],
  ['/settings/sizing', 'size'],
  ['/settings/leverage', 'leverage'],
  ['/fees', 'takerFee'],
  ['/fees/maker', 'makerFee'],
  ['/slippage_bps', 'slippage'],
  ['/funding', 'funding'],
  ['/funding/rate', 'fundingRate'],
  ['/limits', 'limits'],
  ['/unsupported', 'unsupported'],
  ['/gaps', 'gaps'],
];

/** The server's problems as texts by field; what belongs nowhere is kept apart. */
export function placed(parts: readonly ProblemPart[]): { errors: DraftErrors; rest: ProblemPart[] } {
  const errors: DraftErrors = {};
  const rest: ProblemPart[] = [];
  for (const part of parts) {
    const path = part.path.startsWith('/') ? part.path : `/${part.path.replaceAll('.', '/')}`;
    const place = PLACES.filter(([start]) => path.startsWith(start)).toSorted(
      ([a], [b]) => b.length - a.length,
    )[0];
    if (!place) {
      rest.push(part);
      continue;
    }
    const text = [part.message, part.remedy].filter(Boolean).join(' ');
    const field = part.code === 'BT_DATA_GAPS' ? 'gaps' : place[1];
    errors[field] = errors[field] ? `${errors[field]} ${text}` : text;
  }
  return { errors, rest };
}

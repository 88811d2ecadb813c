// The limits a form shows: where each lies in the settings document, its unit, and what it does in words.

import { isDecimal } from '../../lib/money/decimal';
import type { BotSettings } from '../../lib/api/types';

export interface LimitField {
  /** Path below `limits`. */
  path: readonly string[];
  title: string;
  unit: string;
  help: string;
  whole: boolean;
  /** The object around the value when it is switched on. */
  around?: (value: string) => unknown;
}

const daily = (value: string): unknown => ({
  most: { pct: value },
  counting: 'realized_and_unrealized',
  when_hit: 'block',
});

export const LIMITS: readonly LimitField[] = [
  {
    path: ['max_positions_per_asset'],
    title: 'Positions per asset',
    unit: '',
    help: 'Open positions with the same base asset.',
    whole: true,
  },
  {
    path: ['max_positions_total'],
    title: 'Positions in total',
    unit: '',
    help: 'Open positions of the whole bot.',
    whole: true,
  },
  {
    path: ['daily_loss', 'most', 'pct'],
    title: 'Daily loss',
    unit: '%',
    help: 'Of the equity at 00:00 UTC. Blocks entries until the next day.',
    whole: false,
    around: daily,
  },
  {
    path: ['weekly_loss_pct'],
    title: 'Weekly loss',
    unit: '%',
    help: 'Of the equity on Monday 00:00 UTC.',
    whole: false,
  },
  {
    path: ['max_drawdown_pct'],
    title: 'Drawdown',
    unit: '%',
    help: 'From the highest equity. Pauses the bot.',
    whole: false,
  },
  {
    path: ['max_total_exposure_pct'],
    title: 'Exposure',
    unit: '%',
    help: 'Value of all positions, in percent of the equity.',
    whole: false,
  },
  {
    path: ['max_leverage'],
    title: 'Leverage limit',
    unit: '×',
    help: 'The market’s own maximum holds as well.',
    whole: false,
  },
  {
    path: ['max_slippage_bps'],
    title: 'Slippage',
    unit: 'bp',
    help: 'How much worse than the decision an entry’s price may be.',
    whole: false,
  },
  {
    path: ['max_data_age_s'],
    title: 'Data age',
    unit: 's',
    help: 'Between a candle’s close and its evaluation.',
    whole: true,
  },
  {
    path: ['max_trades_per_day'],
    title: 'Trades per day',
    unit: '',
    help: 'Entries since 00:00 UTC.',
    whole: true,
  },
  {
    path: ['min_free_margin_pct'],
    title: 'Free margin',
    unit: '%',
    help: 'That must stay available.',
    whole: false,
  },
];

type Json = Record<string, unknown>;

/** The value at a path as text, or an empty text when the limit is off or has another form. */
export function readLimit(settings: BotSettings, field: LimitField): string {
  let value: unknown = settings.limits ?? {};
  for (const part of field.path)
    value = typeof value === 'object' && value !== null ? (value as Json)[part] : undefined;
  return typeof value === 'string' || typeof value === 'number' ? String(value) : '';
}

/** Settings with one limit changed; an empty text switches it off. Everything else stays as it was. */
export function writeLimit(settings: BotSettings, field: LimitField, text: string): BotSettings {
  const limits: Json = { ...(settings.limits ?? {}) };
  const [first, ...rest] = field.path;
  if (first === undefined) return settings;
  const value = field.whole ? Number(text) : text;
  if (text === '') {
    // A limit of another form (an amount instead of percent) is not switched off by an empty percent field.
    if (readLimit(settings, field) !== '') limits[first] = null;
  } else if (rest.length === 0) limits[first] = value;
  else if (limits[first] && readLimit(settings, field) !== '') {
    const group = structuredClone(limits[first]) as Json;
    let at = group;
    for (const part of rest.slice(0, -1)) at = at[part] as Json;
    at[rest.at(-1) ?? ''] = value;
    limits[first] = group;
  } else if (field.around) limits[first] = field.around(text);
  return { ...settings, limits: limits as NonNullable<BotSettings['limits']> };
}

/** What is wrong with a typed limit, or null. */
export function limitError(field: LimitField, text: string): string | null {
  if (text === '') return null;
  if (!isDecimal(text) || text.trim().startsWith('-')) return 'A number of zero or more.';
  if (field.whole && !/^\d+$/.test(text.trim())) return 'A whole number.';
  return null;
}

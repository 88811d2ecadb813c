// How numbers look. Takes decimal text, gives text: grouped, signed with U+2212, never "0" for unknown.

import { absolute, isDecimal, placesOf, round, sign } from './decimal';

export const MINUS = '\u2212';
export const UNKNOWN = '\u2014';
const GROUP = ',';

export interface NumberStyle {
  /** Fixed number of digits after the point; without it the text's own digits are kept. */
  places?: number | undefined;
  /** `always` writes + for positive values, as profit and loss must. */
  sign?: 'negative' | 'always';
}

function grouped(whole: string): string {
  return whole.replace(/\B(?=(\d{3})+$)/g, GROUP);
}

/** Grouped and signed, or an em dash when the value is missing or no number. */
export function formatDecimal(value: string | null | undefined, style: NumberStyle = {}): string {
  if (value === null || value === undefined || !isDecimal(value)) return UNKNOWN;
  const text = style.places === undefined ? value.trim() : (round(value, style.places) ?? value);
  const direction = sign(text);
  const [whole = '0', fraction] = absolute(text).split('.');
  const mark = direction === -1 ? MINUS : direction === 1 && style.sign === 'always' ? '+' : '';
  return `${mark}${grouped(whole)}${fraction === undefined ? '' : `.${fraction}`}`;
}

const ASSET_PLACES: Record<string, number> = { USD: 2, USDT: 2, USDC: 2, EUR: 2, BTC: 6, XBT: 6, ETH: 5 };

/** Digits shown for amounts of an asset. */
export function assetPlaces(asset: string): number {
  return ASSET_PLACES[asset] ?? 4;
}

/** "1,204.55 USDT". */
export function formatMoney(
  amount: string | null | undefined,
  asset: string,
  style: NumberStyle = {},
): string {
  const text = formatDecimal(amount, { places: assetPlaces(asset), ...style });
  return text === UNKNOWN ? UNKNOWN : `${text} ${asset}`;
}

/** A price with the digits of the instrument's tick. */
export function formatPrice(value: string | null | undefined, tick?: string | null): string {
  return formatDecimal(value, { places: tick ? placesOf(tick) : undefined });
}

/** "12.34 %" from a fraction such as "0.1234". */
export function formatFraction(value: string | null | undefined, style: NumberStyle = {}): string {
  if (value === null || value === undefined || !isDecimal(value)) return UNKNOWN;
  return `${formatDecimal(shift(value), { places: 2, ...style })} %`;
}

/** "12.34 %" from a number that is already in percent. */
export function formatPercent(value: string | null | undefined, style: NumberStyle = {}): string {
  const text = formatDecimal(value, { places: 2, ...style });
  return text === UNKNOWN ? UNKNOWN : `${text} %`;
}

/** A statistic (indicator reading, score) that travels as a float or as text. */
export function formatStatistic(value: string | number | null | undefined): string {
  if (value === null || value === undefined || value === '') return UNKNOWN;
  const number = Number(value);
  if (!Number.isFinite(number)) return String(value);
  const digits = new Intl.NumberFormat('en-US', { maximumSignificantDigits: 6 }).format(Math.abs(number));
  return number < 0 ? `${MINUS}${digits}` : digits;
}

/** "profit", "loss" or "even", for hidden text beside an arrow. */
export function profitWord(value: string | null | undefined): 'profit' | 'loss' | 'even' | 'unknown' {
  const direction = value === null || value === undefined ? null : sign(value);
  if (direction === null) return 'unknown';
  return direction === 1 ? 'profit' : direction === -1 ? 'loss' : 'even';
}

function shift(fraction: string): string {
  const negative = fraction.trim().startsWith('-');
  const [whole = '0', rest = ''] = absolute(fraction).split('.');
  const padded = rest.padEnd(2, '0');
  return `${negative ? '-' : ''}${whole}${padded.slice(0, 2)}.${padded.slice(2) || '0'}`;
}

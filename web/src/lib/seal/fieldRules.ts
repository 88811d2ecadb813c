// What a pasted or typed secret must look like before it is accepted. Says what is wrong, never repeats the value.

/** Characters that copying adds and nobody sees: soft hyphen, zero-width marks, direction marks, byte order mark. */
const INVISIBLE = /[\u00ad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]/g;

export interface Cleaned {
  value: string;
  /** How many characters were removed. */
  removed: number;
}

/** Without outer blanks, line breaks and invisible characters; a PEM block keeps its line breaks. */
export function clean(text: string): Cleaned {
  const pem = text.trimStart().startsWith('-----BEGIN ');
  const visible = text.replace(INVISIBLE, '');
  const value = (pem ? visible : visible.replace(/[\r\n\v\f\u0085\u2028\u2029]/g, '')).trim();
  return { value, removed: [...text].length - [...value].length };
}

export type Doubt = 'filled' | 'email' | 'equals_key' | 'equals_label';

/** Why a value does not look like something copied from an exchange, or null. */
export function doubt(
  value: string,
  context: { byHand: boolean; apiKey: string; label: string; passphrase: boolean },
): Doubt | null {
  if (!context.byHand) return 'filled';
  const address = context.passphrase ? /^[^\s@]+@[^\s@]+\.[^\s@]+$/.test(value) : value.includes('@');
  if (address) return 'email';
  if (context.apiKey !== '' && value === context.apiKey) return 'equals_key';
  if (context.label !== '' && value === context.label) return 'equals_label';
  return null;
}

interface Shape {
  key: [number, RegExp];
  secret: [number, RegExp];
}

/** Usual shapes. They warn and never block, because an exchange may change them any day. */
const SHAPES: Record<string, Shape> = {
  bybit: { key: [18, /^[A-Za-z0-9]+$/], secret: [36, /^[A-Za-z0-9]+$/] },
  binance: { key: [64, /^[A-Za-z0-9]+$/], secret: [64, /^[A-Za-z0-9]+$/] },
  kraken_futures: { key: [56, /^[A-Za-z0-9+/=]+$/], secret: [88, /^[A-Za-z0-9+/=]+$/] },
  okx: { key: [36, /^[0-9a-f-]+$/i], secret: [32, /^[0-9A-F]+$/i] },
  bitmex: { key: [24, /^[A-Za-z0-9_-]+$/], secret: [48, /^[A-Za-z0-9_-]+$/] },
};

/** A warning when the length or alphabet is unusual for the exchange, else null. */
export function unusualShape(exchange: string, part: 'key' | 'secret', value: string): string | null {
  const shape = SHAPES[exchange]?.[part];
  if (!shape || value.startsWith('-----BEGIN ')) return null;
  const [length, alphabet] = shape;
  const what = part === 'key' ? 'key' : 'secret';
  if (!alphabet.test(value)) return `This ${what} has characters that this exchange does not normally use.`;
  const count = [...value].length;
  return count === length ? null : `This ${what} has ${count} characters; this exchange normally uses ${length}.`;
}

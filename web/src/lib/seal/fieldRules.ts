// What a pasted or typed secret must look like before it is accepted. Says what is wrong, never repeats the value. The
// usual shapes of each exchange come from the server (crates/server/data/exchanges).

import type { FieldShape, KeyFields } from '../api/types';

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

/** Characters by the server's word for them. */
const ALPHABETS: Record<FieldShape['alphabet'], RegExp> = {
  letters_digits: /^[A-Za-z0-9]+$/,
  hex: /^[0-9A-Fa-f]+$/,
  hex_dashes: /^[0-9A-Fa-f-]+$/,
  base64: /^[A-Za-z0-9+/=]+$/,
  base64url: /^[A-Za-z0-9_-]+$/,
  any: /^/,
};

const isPem = (value: string): boolean => value.startsWith('-----BEGIN ');
const count = (value: string): number => [...value].length;

function fits(shape: FieldShape, value: string): boolean {
  const long = shape.lengths.length === 0 || shape.lengths.includes(count(value));
  return long && ALPHABETS[shape.alphabet].test(value);
}

/** A warning when length or alphabet is unusual for the exchange, else null. Never blocks: shapes change any day. */
export function unusualShape(shape: FieldShape, value: string): string | null {
  if (isPem(value) || fits(shape, value)) return null;
  if (!ALPHABETS[shape.alphabet].test(value))
    return `This has characters that the exchange does not normally use in its “${shape.name}”.`;
  return `This has ${count(value)} characters; the exchange’s “${shape.name}” normally has ${shape.lengths.join(' or ')}.`;
}

/** Which part of a credential a value looks like. Where both parts look the same, nothing can be said. */
export type Likeness = 'api_key' | 'api_secret' | 'unclear';

export function likeness(fields: KeyFields, value: string): Likeness {
  const [key, secret] = [fits(fields.api_key, value), fits(fields.api_secret, value)];
  if (key === secret) return 'unclear';
  return key ? 'api_key' : 'api_secret';
}

/** A warning about a part that looks like another one, else null. */
export function misplaced(
  fields: KeyFields,
  part: 'api_key' | 'api_secret' | 'passphrase',
  value: string,
): string | null {
  const like = likeness(fields, value);
  if (part === 'passphrase') {
    if (like !== 'unclear') return `This looks like the ${NAMES[like]}, not like a passphrase.`;
    return /\s/.test(value) ? 'This passphrase has a blank inside. Check that it was chosen so.' : null;
  }
  return like === 'unclear' || like === part ? null : `This looks like the ${NAMES[like]}, not like the ${NAMES[part]}.`;
}

const NAMES = { api_key: 'API key', api_secret: 'API secret' } as const;

/** "secret:passphrase" taken apart, as some programs write it; null when it is not that. */
export function unpack(fields: KeyFields, value: string): { secret: string; passphrase: string } | null {
  const at = value.indexOf(':');
  if (!fields.passphrase || at < 1 || at === value.length - 1) return null;
  const [secret, passphrase] = [value.slice(0, at), value.slice(at + 1)];
  return fits(fields.api_secret, secret) ? { secret, passphrase } : null;
}

/** Why a public key cannot be one, before anything is sent; null when it may be. */
export function keyDoubt(value: string): 'email' | 'blank' | null {
  if (value.includes('@')) return 'email';
  return /\s/.test(value) ? 'blank' : null;
}

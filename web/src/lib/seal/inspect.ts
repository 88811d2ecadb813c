// Looks at what was typed before it is sealed: trims what a clipboard adds, says what looks like autofill, and makes
// the masked hint. Judges shape only. The same as crates/seal/src/{inspect,hint}.rs, held together by
// testdata/envelopes/{inspect,hints}.json. A non-empty list of suspicions is KEY_INPUT_SUSPECT to the user.

import { type Bytes, decodeUtf8, encodeUtf8, wipe } from './bytes';

export type InspectedField = 'api_key' | 'api_secret' | 'passphrase';
export type SuspicionCode = 'empty' | 'inner_blank' | 'email' | 'secret_equals_key' | 'equals_label' | 'too_long';

export interface Suspicion {
  field: InspectedField;
  suspicion: SuspicionCode;
}

export interface Trimmed {
  /** The cleaned UTF-8 bytes; pass them on to `sealCredential`, which wipes them, or wipe them. */
  value: Bytes;
  /** Characters removed. */
  removed: number;
}

export interface Inspection {
  apiKey: Trimmed;
  apiSecret: Trimmed;
  passphrase?: Trimmed;
  suspicions: Suspicion[];
}

export interface TypedInput {
  apiKey: Uint8Array;
  apiSecret: Uint8Array;
  passphrase?: Uint8Array;
  label?: string;
}

const MAX_CHARACTERS = 2040;
const AT = 0x40;
const DOT = 0x2e;
const PEM = Array.from('-----BEGIN ', (character) => character.charCodeAt(0));

/** First and last characters of an API key: 4 and 4 from 16 characters on, then 3, 2, 1; none below 4. */
export function hint(apiKey: Uint8Array): string {
  const points = decodeUtf8(apiKey);
  const length = points.length;
  const shown = length >= 16 ? 4 : length >= 12 ? 3 : length >= 8 ? 2 : length >= 4 ? 1 : 0;
  const text = (part: Uint32Array) => Array.from(part, (point) => String.fromCodePoint(point)).join('');
  const result = `${text(points.subarray(0, shown))}…${text(points.subarray(length - shown))}`;
  wipe(points);
  return result;
}

/** Cleans and judges what was typed. The given arrays are wiped; the cleaned copies are the caller's. */
export function inspectInput(input: TypedInput): Inspection {
  const typedKey = decodeUtf8(input.apiKey);
  const typedSecret = decodeUtf8(input.apiSecret);
  const typedPhrase = input.passphrase === undefined ? undefined : decodeUtf8(input.passphrase);
  const label = input.label === undefined ? undefined : decodeUtf8(new TextEncoder().encode(input.label));
  wipe(input.apiKey, input.apiSecret, input.passphrase);

  const pem = isPem(typedSecret);
  const key = trim(typedKey, 'remove-breaks');
  const secret = trim(typedSecret, pem ? 'keep-breaks' : 'remove-breaks');
  const phrase = typedPhrase === undefined ? undefined : trim(typedPhrase, 'keep-breaks');

  const suspicions: Suspicion[] = [];
  judge('api_key', key.points, label, suspicions);
  if (pem) judgeLength('api_secret', secret.points, suspicions);
  else judge('api_secret', secret.points, label, suspicions);
  if (secret.points.length > 0 && same(key.points, secret.points)) {
    suspicions.push({ field: 'api_secret', suspicion: 'secret_equals_key' });
  }
  if (phrase !== undefined) {
    judgeLength('passphrase', phrase.points, suspicions);
    if (looksLikeAddress(phrase.points)) suspicions.push({ field: 'passphrase', suspicion: 'email' });
  }
  const result: Inspection = { apiKey: finish(key), apiSecret: finish(secret), suspicions };
  if (phrase !== undefined) result.passphrase = finish(phrase);
  wipe(typedKey, typedSecret, typedPhrase);
  return result;
}

interface Points {
  points: Uint32Array;
  removed: number;
}

function finish(trimmed: Points): Trimmed {
  const value = encodeUtf8(trimmed.points);
  wipe(trimmed.points);
  return { value, removed: trimmed.removed };
}

function trim(typed: Uint32Array, breaks: 'keep-breaks' | 'remove-breaks'): Points {
  const dropped = (point: number) => isInvisible(point) || (breaks === 'remove-breaks' && isLineBreak(point));
  const kept = typed.filter((point) => !dropped(point));
  const points = withoutOuterBlanks(kept).slice();
  wipe(kept);
  return { points, removed: typed.length - points.length };
}

function withoutOuterBlanks(points: Uint32Array): Uint32Array {
  let start = 0;
  let end = points.length;
  while (start < end && isBlank(points[start] ?? 0)) start += 1;
  while (end > start && isBlank(points[end - 1] ?? 0)) end -= 1;
  return points.subarray(start, end);
}

function judge(field: InspectedField, value: Uint32Array, label: Uint32Array | undefined, found: Suspicion[]): void {
  judgeLength(field, value, found);
  if (value.some(isBlank)) found.push({ field, suspicion: 'inner_blank' });
  // No exchange puts "@" into keys or secrets, so the sign alone is enough here.
  if (value.includes(AT)) found.push({ field, suspicion: 'email' });
  if (value.length > 0 && label !== undefined && same(withoutOuterBlanks(label), value)) {
    found.push({ field, suspicion: 'equals_label' });
  }
}

function judgeLength(field: InspectedField, value: Uint32Array, found: Suspicion[]): void {
  if (value.length === 0) found.push({ field, suspicion: 'empty' });
  if (value.length > MAX_CHARACTERS) found.push({ field, suspicion: 'too_long' });
}

/** A passphrase may contain "@"; only `something@host.tld` without blanks is taken for an address. */
function looksLikeAddress(value: Uint32Array): boolean {
  const at = value.indexOf(AT);
  const dot = value.indexOf(DOT, at + 2);
  return (
    at > 0 &&
    value.indexOf(AT, at + 1) === -1 &&
    value[at + 1] !== DOT &&
    dot !== -1 &&
    dot + 1 < value.length &&
    !value.some(isBlank)
  );
}

function isPem(typed: Uint32Array): boolean {
  let start = 0;
  while (start < typed.length && isBlank(typed[start] ?? 0)) start += 1;
  return PEM.every((code, index) => typed[start + index] === code);
}

function same(left: Uint32Array, right: Uint32Array): boolean {
  return left.length === right.length && left.every((point, index) => point === right[index]);
}

function isLineBreak(point: number): boolean {
  return (point >= 0x0a && point <= 0x0d) || point === 0x85 || point === 0x2028 || point === 0x2029;
}

/** Unicode White_Space, written out because the languages' own notions differ. */
function isBlank(point: number): boolean {
  return (
    isLineBreak(point) ||
    point === 0x09 ||
    point === 0x20 ||
    point === 0xa0 ||
    point === 0x1680 ||
    (point >= 0x2000 && point <= 0x200a) ||
    point === 0x202f ||
    point === 0x205f ||
    point === 0x3000
  );
}

/** Characters that paint nothing: soft hyphen, zero-width, direction marks, byte order mark. */
function isInvisible(point: number): boolean {
  return (
    point === 0xad ||
    point === 0x180e ||
    (point >= 0x200b && point <= 0x200f) ||
    (point >= 0x202a && point <= 0x202e) ||
    (point >= 0x2060 && point <= 0x2064) ||
    (point >= 0x2066 && point <= 0x2069) ||
    point === 0xfeff
  );
}

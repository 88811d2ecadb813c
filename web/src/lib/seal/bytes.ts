// Bytes and their one text form, base64url without padding; wiping; UTF-8 without strings in between.
// JavaScript strings cannot be wiped, so secrets stay in byte arrays from the key press on.

export type Bytes = Uint8Array<ArrayBuffer>;

export function concat(...parts: readonly Uint8Array[]): Bytes {
  const all = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** Overwrites every given array with zeros. */
export function wipe(...parts: readonly (Uint8Array | Uint32Array | undefined)[]): void {
  for (const part of parts) part?.fill(0);
}

/** For labels and public values only. */
export function ascii(text: string): Bytes {
  return new Uint8Array(new TextEncoder().encode(text));
}

export function fromHex(text: string, length: number): Bytes {
  if (text.length !== length * 2 || !/^[0-9a-f]*$/.test(text)) throw new SealError('BAD_ID');
  return Uint8Array.from({ length }, (_, index) => Number.parseInt(text.slice(index * 2, index * 2 + 2), 16));
}

export function toBase64Url(bytes: Uint8Array): string {
  const text = Array.from(bytes, (byte) => String.fromCharCode(byte)).join('');
  return btoa(text).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');
}

/** Strict: the alphabet of base64url, no padding, no stray bits, exactly `length` bytes. */
export function fromBase64Url(text: string, length: number): Bytes {
  if (!/^[A-Za-z0-9_-]*$/.test(text) || text.length !== Math.ceil((length * 4) / 3)) throw new SealError('BAD_BLOB');
  const raw = atob(text.replaceAll('-', '+').replaceAll('_', '/'));
  const bytes = Uint8Array.from(raw, (character) => character.charCodeAt(0));
  if (bytes.length !== length || toBase64Url(bytes) !== text) throw new SealError('BAD_BLOB');
  return bytes;
}

export type SealErrorCode =
  /** An id is not 32 lower-case hexadecimal digits. */
  | 'BAD_ID'
  /** A blob of the server is not what it should be. */
  | 'BAD_BLOB'
  /** The keeper's public key is not usable, or not the one that was pinned. */
  | 'BAD_KEEPER'
  /** API key or secret is empty. */
  | 'EMPTY'
  /** More than fits. */
  | 'TOO_LONG'
  /** The input is not text. */
  | 'NOT_TEXT'
  /** This page has no WebCrypto with X25519: plain HTTP, or a browser from before 2025. */
  | 'NO_WEBCRYPTO';

/** Never carries any part of an input. */
export class SealError extends Error {
  readonly code: SealErrorCode;
  constructor(code: SealErrorCode) {
    super(code);
    this.code = code;
  }
}

/** The code points of UTF-8 bytes; the caller wipes the result. */
export function decodeUtf8(bytes: Uint8Array): Uint32Array {
  const points = new Uint32Array(bytes.length);
  let count = 0;
  for (let at = 0; at < bytes.length; ) {
    const first = bytes[at] ?? 0;
    const length = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if ((first >= 0x80 && first < 0xc2) || first > 0xf4 || at + length > bytes.length) throw new SealError('NOT_TEXT');
    let point = length === 1 ? first : first & (0x7f >> length);
    for (let next = at + 1; next < at + length; next += 1) {
      const byte = bytes[next] ?? 0;
      if ((byte & 0xc0) !== 0x80) throw new SealError('NOT_TEXT');
      point = (point << 6) | (byte & 0x3f);
    }
    const least = [0, 0, 0x80, 0x800, 0x10000][length] ?? 0;
    if (point < least || point > 0x10ffff || (point >= 0xd800 && point < 0xe000)) throw new SealError('NOT_TEXT');
    points[count] = point;
    count += 1;
    at += length;
  }
  const exact = points.slice(0, count);
  wipe(points);
  return exact;
}

/** UTF-8 of code points. */
export function encodeUtf8(points: Uint32Array): Bytes {
  const bytes = new Uint8Array(points.length * 4);
  let at = 0;
  const put = (byte: number) => {
    bytes[at] = byte;
    at += 1;
  };
  for (const point of points) {
    if (point < 0x80) {
      put(point);
    } else if (point < 0x800) {
      put(0xc0 | (point >> 6));
      put(0x80 | (point & 0x3f));
    } else if (point < 0x10000) {
      put(0xe0 | (point >> 12));
      put(0x80 | ((point >> 6) & 0x3f));
      put(0x80 | (point & 0x3f));
    } else {
      put(0xf0 | (point >> 18));
      put(0x80 | ((point >> 12) & 0x3f));
      put(0x80 | ((point >> 6) & 0x3f));
      put(0x80 | (point & 0x3f));
    }
  }
  const exact = bytes.slice(0, at);
  wipe(bytes);
  return exact;
}

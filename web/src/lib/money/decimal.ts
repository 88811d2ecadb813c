// Exact arithmetic on decimal text with BigInt. Knows no currencies and no locale; see format.ts for showing.
// Binary floats appear only in `toPlot`, which is for drawing pixels.

const PATTERN = /^([+-]?)(\d+)(?:\.(\d+))?$/;

interface Scaled {
  digits: bigint;
  scale: number;
}

function parse(text: string): Scaled | null {
  const match = PATTERN.exec(text.trim());
  if (!match) return null;
  const fraction = match[3] ?? '';
  const digits = BigInt(`${match[2] ?? ''}${fraction}`);
  return { digits: match[1] === '-' ? -digits : digits, scale: fraction.length };
}

function render({ digits, scale }: Scaled): string {
  const negative = digits < 0n;
  const text = (negative ? -digits : digits).toString().padStart(scale + 1, '0');
  const whole = text.slice(0, text.length - scale);
  const fraction = text.slice(text.length - scale).replace(/0+$/, '');
  const sign = negative && digits !== 0n ? '-' : '';
  return fraction ? `${sign}${whole}.${fraction}` : `${sign}${whole}`;
}

function aligned(a: string, b: string): [bigint, bigint, number] | null {
  const left = parse(a);
  const right = parse(b);
  if (!left || !right) return null;
  const scale = Math.max(left.scale, right.scale);
  const lift = (value: Scaled): bigint => value.digits * 10n ** BigInt(scale - value.scale);
  return [lift(left), lift(right), scale];
}

/** Is the text a plain decimal number? */
export function isDecimal(text: string): boolean {
  return PATTERN.test(text.trim());
}

/** The sum, or null when one of them is no decimal number. */
export function add(a: string, b: string): string | null {
  const both = aligned(a, b);
  return both && render({ digits: both[0] + both[1], scale: both[2] });
}

/** The difference a − b, or null when one of them is no decimal number. */
export function subtract(a: string, b: string): string | null {
  const both = aligned(a, b);
  return both && render({ digits: both[0] - both[1], scale: both[2] });
}

/** The product, or null when one of them is no decimal number. */
export function multiply(a: string, b: string): string | null {
  const left = parse(a);
  const right = parse(b);
  if (!left || !right) return null;
  return render({ digits: left.digits * right.digits, scale: left.scale + right.scale });
}

/** The quotient a / b, cut to `places` digits; null when not numbers or b is zero. */
export function divide(a: string, b: string, places: number): string | null {
  const both = aligned(a, b);
  if (!both || both[1] === 0n) return null;
  return render({ digits: (both[0] * 10n ** BigInt(places)) / both[1], scale: places });
}

/** −1, 0 or 1; null when one of them is no decimal number. */
export function compare(a: string, b: string): -1 | 0 | 1 | null {
  const both = aligned(a, b);
  if (!both) return null;
  if (both[0] === both[1]) return 0;
  return both[0] < both[1] ? -1 : 1;
}

/** −1, 0 or 1; null when it is no decimal number. */
export function sign(text: string): -1 | 0 | 1 | null {
  return compare(text, '0');
}

/** Without its sign. */
export function absolute(text: string): string {
  return text.trim().replace(/^[+-]/, '');
}

/** Digits after the point that a step such as "0.001" needs. */
export function placesOf(step: string): number {
  const fraction = step.trim().split('.')[1] ?? '';
  return fraction.replace(/0+$/, '').length;
}

/** Rounded half away from zero to `places` digits, padded with zeros; null when it is no decimal number. */
export function round(text: string, places: number): string | null {
  const value = parse(text);
  if (!value) return null;
  const negative = value.digits < 0n;
  let digits = negative ? -value.digits : value.digits;
  if (value.scale > places) {
    const divisor = 10n ** BigInt(value.scale - places);
    digits = (digits + divisor / 2n) / divisor;
  } else {
    digits *= 10n ** BigInt(places - value.scale);
  }
  const padded = digits.toString().padStart(places + 1, '0');
  const whole = padded.slice(0, padded.length - places);
  const fraction = padded.slice(padded.length - places);
  const minus = negative && digits !== 0n ? '-' : '';
  return places > 0 ? `${minus}${whole}.${fraction}` : `${minus}${whole}`;
}

/** A float for the position of a pixel. Not for arithmetic, not for showing. */
export function toPlot(text: string): number {
  return Number(text);
}

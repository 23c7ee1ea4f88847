/** Exact numbers for checking: `(-1)^sign * num / den`. */
export interface Rational {
  readonly sign: number;
  readonly num: bigint;
  readonly den: bigint;
}

/** A floating-point format: significant bits, exponent range of normal numbers (unbiased). */
export interface Format {
  readonly precision: number;
  readonly min: number;
  readonly max: number;
}

/** What rounding gave: value as `sig * 2^exp` (sig 0: zero), or an infinity. */
export interface Rounded {
  readonly kind: 'finite' | 'infinity';
  readonly sig: bigint;
  readonly exp: number;
  readonly flags: number;
}

const length = (x: bigint): number => x.toString(2).length;
const pow2 = (n: number): bigint => 1n << BigInt(n);

/** floor(log2(num / den)) */
function log2(x: Rational): number {
  const e = length(x.num) - length(x.den);
  const [a, b] = e >= 0 ? [x.num, x.den * pow2(e)] : [x.num * pow2(-e), x.den];
  return a >= b ? e : e - 1;
}

/** Rounds num/den * 2^-exp to an integer; rc 0 nearest even, 1 down, 2 up, 3 toward zero. */
function toMultiple(x: Rational, exp: number, rc: number): { sig: bigint; inexact: boolean; up: boolean } {
  const [n, d] = exp >= 0 ? [x.num, x.den * pow2(exp)] : [x.num * pow2(-exp), x.den];
  const q = n / d;
  const r = n % d;
  let up = false;
  if (r !== 0n) {
    if (rc === 0) up = 2n * r > d || (2n * r === d && (q & 1n) === 1n);
    else up = (rc === 1 && x.sign === 1) || (rc === 2 && x.sign === 0);
  }
  return { sig: up ? q + 1n : q, inexact: r !== 0n, up };
}

/** IEEE rounding with tininess detected after rounding, all exceptions masked. Flags as FpFlag, C1 included. */
export function round(x: Rational, f: Format, rc: number): Rounded {
  const e = log2(x);
  const unbounded = toMultiple(x, e - f.precision + 1, rc);
  const top = length(unbounded.sig) - 1 + (e - f.precision + 1);
  if (top > f.max) {
    const stays = rc === 3 || (rc === 1 && x.sign === 0) || (rc === 2 && x.sign === 1);
    if (stays) return { kind: 'finite', sig: pow2(f.precision) - 1n, exp: f.max - f.precision + 1, flags: 0x28 };
    return { kind: 'infinity', sig: 0n, exp: 0, flags: 0x228 };
  }
  const tiny = top < f.min;
  const exp = Math.max(e, f.min) - f.precision + 1;
  const r = tiny ? toMultiple(x, exp, rc) : unbounded;
  const flags = (r.inexact ? 0x20 : 0) | (r.up ? 0x200 : 0) | (tiny && r.inexact ? 0x10 : 0);
  return { kind: 'finite', sig: r.sig, exp: tiny ? exp : e - f.precision + 1, flags };
}

/** The value of a finite extended number. */
export function value80(mant: bigint, se: number): Rational {
  const e = Math.max(se & 0x7fff, 1) - 0x3fff - 63;
  return e >= 0 ? { sign: se >> 15, num: mant << BigInt(e), den: 1n } : { sign: se >> 15, num: mant, den: pow2(-e) };
}

/** Extended format at a precision setting. */
export const extended = (precision: number): Format => ({ precision, min: -0x3ffe, max: 0x3fff });

/** Encodes a rounded value as extended. */
export function encode80(sign: number, r: Rounded): [bigint, number] {
  if (r.kind === 'infinity') return [1n << 63n, (sign << 15) | 0x7fff];
  if (r.sig === 0n) return [0n, sign << 15];
  const top = length(r.sig) - 1 + r.exp;
  const e = Math.max(top, -0x3ffe);
  const shift = r.exp - (e - 63);
  const mant = shift >= 0 ? r.sig << BigInt(shift) : r.sig >> BigInt(-shift);
  return [mant, (sign << 15) | (mant >> 63n === 0n ? 0 : e + 0x3fff)];
}

/** Exact arithmetic. */
export const exact = {
  add(a: Rational, b: Rational): Rational {
    const n = (a.sign ? -a.num : a.num) * b.den + (b.sign ? -b.num : b.num) * a.den;
    return { sign: n < 0n ? 1 : 0, num: n < 0n ? -n : n, den: a.den * b.den };
  },
  mul: (a: Rational, b: Rational): Rational => ({ sign: a.sign ^ b.sign, num: a.num * b.num, den: a.den * b.den }),
  div: (a: Rational, b: Rational): Rational => ({ sign: a.sign ^ b.sign, num: a.num * b.den, den: a.den * b.num }),
};

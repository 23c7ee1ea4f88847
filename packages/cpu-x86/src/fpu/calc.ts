import type { Val } from '@sterna/wasm';
import type { Machine } from '../semantics/machine.ts';
import { add80, div80, mul80 } from './ext-arith.ts';
import { int64to80 } from './ext-convert.ts';
import { type F80, multi80 } from './util.ts';

/** num / den as an extended constant, truncated: mantissa and exponent of a value in the normal range. */
export function constant80(num: bigint, den = 1n): readonly [mant: bigint, se: number] {
  const sign = num < 0n !== den < 0n ? 0x8000 : 0;
  const n = num < 0n ? -num : num;
  const d = den < 0n ? -den : den;
  if (n === 0n) return [0n, sign];
  const length = (x: bigint): number => x.toString(2).length;
  // a quotient of 64 or 65 bits
  const shift = 64 - (length(n) - length(d));
  const q = shift >= 0 ? (n << BigInt(shift)) / d : n / (d << BigInt(-shift));
  const extra = length(q) - 64;
  return [q >> BigInt(extra), sign | (0x3fff + 63 - shift + extra)];
}

/** Extended arithmetic as expressions; exceptions go to fpExc and rounding comes from the control word as always. */
export class Calc {
  readonly m: Machine;

  constructor(m: Machine) {
    this.m = m;
  }

  constant(num: bigint, den = 1n): F80 {
    const [mant, se] = constant80(num, den);
    return { mant: this.m.i64(mant), se: this.m.i32(se) };
  }

  add(a: F80, b: F80): F80 {
    return multi80(this.m, add80, a.mant, a.se, b.mant, b.se, this.m.i32(0));
  }

  sub(a: F80, b: F80): F80 {
    return multi80(this.m, add80, a.mant, a.se, b.mant, b.se, this.m.i32(0x8000));
  }

  mul(a: F80, b: F80): F80 {
    return multi80(this.m, mul80, a.mant, a.se, b.mant, b.se);
  }

  div(a: F80, b: F80): F80 {
    return multi80(this.m, div80, a.mant, a.se, b.mant, b.se);
  }

  int(x: Val<'i32'>): F80 {
    return multi80(this.m, int64to80, this.m.extS(x));
  }

  neg(a: F80): F80 {
    return { mant: a.mant, se: this.m.let(this.m.xor(a.se, 0x8000)) };
  }

  abs(a: F80): F80 {
    return { mant: a.mant, se: this.m.let(this.m.and(a.se, 0x7fff)) };
  }

  /** Sum of `coefficients[k] * x^k`, given as fractions, from the highest power down. */
  polynomial(x: F80, coefficients: readonly (readonly [bigint, bigint])[]): F80 {
    let sum: F80 | undefined;
    for (const [num, den] of [...coefficients].reverse()) {
      const c = this.constant(num, den);
      sum = sum === undefined ? c : this.add(this.mul(sum, x), c);
    }
    return sum!;
  }

  /** Assigns to locals made by {@link variable}. */
  assign(target: F80, value: F80): void {
    this.m.set(target.mant, value.mant);
    this.m.set(target.se, value.se);
  }

  variable(): F80 {
    return { mant: this.m.local('i64'), se: this.m.local('i32') };
  }
}

/** k! */
export const factorial = (k: number): bigint => (k < 2 ? 1n : BigInt(k) * factorial(k - 1));
/** pi / 2 = PI_HALF / 2^127. */
export const PI_HALF = 0xc90f_daa2_2168_c234_c4c6_628b_80dc_1cd1n;
/** log2(e) = LOG2E / 2^127. */
export const LOG2E = 0xb8aa_3b29_5c17_f0bb_be87_fed0_691d_3e88n;
/** ln(2) = LN2 / 2^128. */
export const LN2 = 0xb172_17f7_d1cf_79ab_c9e3_b398_03f2_f6afn;

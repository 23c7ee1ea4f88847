import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SCALAR, SCALAR_SQRT, type Shape } from '../../src/fpu/simd.ts';
import { FROM_INT, NARROW, TO_INT, WIDEN } from '../../src/fpu/simd-convert.ts';
import { Relation, SOFT32, SOFT64 } from '../../src/fpu/small.ts';
import type { Micro } from '../../src/semantics/micro.ts';
import { compile } from './harness.ts';
import { exact, type Format, type Rational, type Rounded, round } from './reference.ts';

const SOFTS = [SOFT32, SOFT64];
const unit = compile(
  ...SOFTS.flatMap((s) => [s.add, s.mul, s.div, s.sqrt, s.relation, s.minmax, s.convert]),
  ...(['add', 'sub', 'mul', 'div', 'min', 'max'] as const).flatMap((n) => Object.values(SCALAR[n])),
  ...Object.values(SCALAR_SQRT.sqrt),
  ...Object.values(FROM_INT),
  ...Object.values(TO_INT).flatMap((t) => Object.values(t)),
  NARROW,
  WIDEN,
);

interface Kind {
  readonly soft: typeof SOFT64;
  readonly format: Format;
  readonly bits: number;
}
const KINDS: readonly Kind[] = [
  { soft: SOFT32, format: { precision: 24, min: -126, max: 127 }, bits: 32 },
  { soft: SOFT64, format: { precision: 53, min: -1022, max: 1023 }, bits: 64 },
];

/** Bit patterns of a format: anything, near 1, and denormal. */
const pattern = (k: Kind): fc.Arbitrary<bigint> => {
  const { precision } = k.format;
  const build = (sign: boolean, e: number, f: bigint): bigint =>
    (sign ? 1n << BigInt(k.bits - 1) : 0n) | (BigInt(e) << BigInt(precision - 1)) | f;
  // short fractions too, so that results are exact
  const short = fc.bigInt({ min: 0n, max: 63n }).map((x) => x << BigInt(precision - 7));
  const fraction = fc.oneof(fc.bigInt({ min: 0n, max: (1n << BigInt(precision - 1)) - 1n }), short);
  const top = k.bits === 32 ? 254 : 2046;
  const exponent = fc.oneof(
    fc.integer({ min: 0, max: top }),
    fc.integer({ min: -30, max: 30 }).map((x) => x + (top >> 1)),
  );
  return fc.tuple(fc.boolean(), exponent, fraction).map(([s, e, f]) => build(s, e, f));
};

function value(k: Kind, bits: bigint): Rational {
  const { precision, min } = k.format;
  const hidden = 1n << BigInt(precision - 1);
  const field = Number((bits >> BigInt(precision - 1)) & (k.bits === 32 ? 0xffn : 0x7ffn));
  const sig = (bits & (hidden - 1n)) | (field === 0 ? 0n : hidden);
  const e = (field === 0 ? min : field - 1 + min) - precision + 1;
  const sign = Number(bits >> BigInt(k.bits - 1));
  return e >= 0 ? { sign, num: sig << BigInt(e), den: 1n } : { sign, num: sig, den: 1n << BigInt(-e) };
}

function encode(k: Kind, sign: number, r: Rounded): bigint {
  const { precision, min } = k.format;
  const s = BigInt(sign) << BigInt(k.bits - 1);
  const infinity = (k.bits === 32 ? 0xffn : 0x7ffn) << BigInt(precision - 1);
  if (r.kind === 'infinity') return s | infinity;
  if (r.sig === 0n) return s;
  const e = r.sig.toString(2).length - 1 + r.exp;
  if (e < min) return s | (r.sig << BigInt(r.exp - (min - precision + 1)));
  const shift = r.exp - (e - precision + 1);
  const sig = shift >= 0 ? r.sig << BigInt(shift) : r.sig >> BigInt(-shift);
  return s | (BigInt(e - min + 1) << BigInt(precision - 1)) | (sig & ((1n << BigInt(precision - 1)) - 1n));
}
const isDenormal = (k: Kind, bits: bigint): boolean => {
  const v = value(k, bits);
  return (
    v.num !== 0n &&
    v.num < v.den &&
    encode(k, 0, round({ ...v, sign: 0 }, k.format, 0)) >> BigInt(k.format.precision - 1) === 0n
  );
};

function run(mxcsr: number, fn: Micro, ...args: (bigint | number)[]): [bigint, number] {
  unit.set('mxcsr', mxcsr);
  unit.set('fpExc', 0);
  const [r] = unit.call(fn, ...args);
  return [typeof r === 'bigint' ? r : BigInt(r! >>> 0), unit.get('fpExc') & 0x3f];
}

describe('single and double against exact rationals', () => {
  for (const k of KINDS) {
    const { soft } = k;
    const cases: [string, Micro, (a: Rational, b: Rational) => Rational, number[]][] = [
      ['add', soft.add, exact.add, [0]],
      ['sub', soft.add, (a, b) => exact.add(a, { ...b, sign: b.sign ^ 1 }), [1]],
      ['mul', soft.mul, exact.mul, []],
      ['div', soft.div, exact.div, []],
    ];
    for (const [name, fn, f, more] of cases) {
      it(`${name} ${soft.format.name}`, () => {
        fc.assert(
          fc.property(pattern(k), pattern(k), fc.integer({ min: 0, max: 3 }), (a, b, rc) => {
            const [x, y] = [value(k, a), value(k, b)];
            if (name === 'div' && y.num === 0n) return;
            const v = f(x, y);
            if (v.num === 0n) return;
            const r = round(v, k.format, rc);
            const de = isDenormal(k, a) || isDenormal(k, b) ? 2 : 0;
            expect(run(0x1f80 | (rc << 13), fn, a, b, ...more)).toEqual([encode(k, v.sign, r), (r.flags & 0x3f) | de]);
          }),
          { numRuns: 1500 },
        );
      });
    }

    it(`fast paths give what the exact ones give, ${soft.format.name}`, () => {
      const shape: Shape = k.bits === 32 ? 'f32x4' : 'f64x2';
      const specials =
        k.bits === 32
          ? [0n, 0x8000_0000n, 0x7f80_0000n, 0x7fc0_0001n, 0x7f80_0001n, 1n, 0x0080_0000n, 0x7f7f_ffffn]
          : [
              0n,
              1n << 63n,
              0x7ffn << 52n,
              (0xfff8n << 48n) | 1n,
              (0x7ffn << 52n) | 1n,
              1n,
              1n << 52n,
              (0x7ffn << 52n) - 1n,
            ];
      const any = fc.oneof(
        { weight: 4, arbitrary: pattern(k) },
        { weight: 1, arbitrary: fc.constantFrom(...specials) },
      );
      const args = (...list: bigint[]): (bigint | number)[] =>
        k.bits === 32 ? list.map((x) => Number(BigInt.asIntN(32, x))) : list;
      fc.assert(
        fc.property(any, any, (a, b) => {
          // with PE set beforehand the fast path is open; flags other than PE must agree
          const both = (fast: Micro, slow: Micro, operands: bigint[], ...more: number[]): void => {
            const [r, flags] = run(0x1fa0, fast, ...args(...operands));
            const [want, wantFlags] = run(0x1fa0, slow, ...operands, ...more);
            expect([r, flags & ~0x20]).toEqual([want, wantFlags & ~0x20]);
          };
          both(SCALAR.add[shape], soft.add, [a, b], 0);
          both(SCALAR.sub[shape], soft.add, [a, b], 1);
          both(SCALAR.mul[shape], soft.mul, [a, b]);
          both(SCALAR.div[shape], soft.div, [a, b]);
          both(SCALAR.min[shape], soft.minmax, [a, b], 0);
          both(SCALAR.max[shape], soft.minmax, [a, b], 1);
          both(SCALAR_SQRT.sqrt[shape], soft.sqrt, [a]);
        }),
        { numRuns: 2000 },
      );
    });
  }

  it('NaNs: the first operand wins, made quiet; the default is negative', () => {
    const snan = 0x7ff0_0000_0000_0005n;
    const qnan = 0xfff8_0000_0000_0009n;
    expect(run(0x1f80, SOFT64.add, snan, qnan, 0)).toEqual([snan | (1n << 51n), 1]);
    expect(run(0x1f80, SOFT64.add, qnan, snan, 0)).toEqual([qnan, 1]);
    expect(run(0x1f80, SOFT64.mul, 0n, 0x7ff0_0000_0000_0000n)).toEqual([0xfff8_0000_0000_0000n, 1]);
  });

  it('DAZ and FTZ', () => {
    expect(run(0x1fc0, SOFT64.mul, 1n, 0x7fe0_0000_0000_0000n)).toEqual([0n, 0]);
    expect(run(0x9f80, SOFT64.mul, 0x0010_0000_0000_0000n, 0x3fe0_0000_0000_0001n)).toEqual([0n, 0x30]);
  });

  it('relations', () => {
    const view = new DataView(new ArrayBuffer(16));
    fc.assert(
      fc.property(fc.double(), fc.double(), (a, b) => {
        view.setFloat64(0, a);
        view.setFloat64(8, b);
        const want =
          Number.isNaN(a) || Number.isNaN(b)
            ? Relation.UNORDERED
            : a < b
              ? Relation.LESS
              : a > b
                ? Relation.GREATER
                : Relation.EQUAL;
        expect(run(0x1f80, SOFT64.relation, view.getBigUint64(0), view.getBigUint64(8), 0)[0]).toBe(BigInt(want));
      }),
    );
  });
});

describe('conversions', () => {
  const view = new DataView(new ArrayBuffer(8));
  it('doubles to integers', () => {
    fc.assert(
      fc.property(fc.double({ min: -2e10, max: 2e10, noNaN: true }), (d) => {
        view.setFloat64(0, d);
        const t = Math.trunc(d);
        const fits = t >= -(2 ** 31) && t < 2 ** 31;
        const inexact = t === d ? 0 : 0x20;
        const denormal = d !== 0 && Math.abs(d) < 2 ** -1022;
        expect(run(0x1f80, TO_INT.f64x2[32], view.getBigUint64(0), 1)).toEqual(
          fits ? [BigInt(t >>> 0), denormal ? 0x20 : inexact] : [0x8000_0000n, 1],
        );
        expect(run(0x1f80, TO_INT.f64x2[64], view.getBigUint64(0), 1)).toEqual([
          BigInt.asUintN(64, BigInt(t)),
          inexact,
        ]);
      }),
    );
  });
  it('integers to doubles and singles, and between those', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n }), fc.double(), (i, d) => {
        for (const mxcsr of [0x1f80, 0x1fa0]) {
          view.setFloat64(0, Number(i));
          const exactly = BigInt(Number(i)) === i;
          const [r, flags] = run(mxcsr, FROM_INT.f64x2, i);
          expect(r).toBe(view.getBigUint64(0));
          if (mxcsr === 0x1f80) expect(flags).toBe(exactly ? 0 : 0x20);
          if (Number.isNaN(d)) continue;
          view.setFloat64(0, d);
          const bits = view.getBigUint64(0);
          view.setFloat32(0, d);
          const single = BigInt(view.getUint32(0));
          expect(run(mxcsr, NARROW, bits)[0]).toBe(single);
          view.setFloat64(0, Math.fround(d));
          expect(run(mxcsr, WIDEN, single)[0]).toBe(view.getBigUint64(0));
        }
      }),
    );
  });
});

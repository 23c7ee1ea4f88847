import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { add80, compare80, div80, mul80, sqrt80 } from '../../src/fpu/ext-arith.ts';
import { f64to80, f80to32, f80to64, f80toInt, int64to80, rint80 } from '../../src/fpu/ext-convert.ts';
import { rem80 } from '../../src/fpu/ext-rem.ts';
import { bcdTo80, extract80, f80toBcd, scale80 } from '../../src/fpu/ext-scale.ts';
import { compile } from './harness.ts';
import { encode80, exact, extended, type Rational, round, value80 } from './reference.ts';

const unit = compile(
  add80,
  mul80,
  div80,
  sqrt80,
  compare80,
  rem80,
  scale80,
  extract80,
  bcdTo80,
  f80toBcd,
  f64to80,
  f80to64,
  f80to32,
  f80toInt,
  int64to80,
  rint80,
);

const sig = fc.oneof(
  fc.bigInt({ min: 1n << 63n, max: (1n << 64n) - 1n }),
  fc.bigInt({ min: 1n << 10n, max: (1n << 11n) - 1n }).map((x) => x << 53n),
  fc.constantFrom(1n << 63n, (1n << 64n) - 1n, (1n << 63n) + 1n, 0xffff_ffff_0000_0000n),
);
const near = fc.integer({ min: -70, max: 70 }).map((x) => x + 0x3fff);
const far = fc.integer({ min: 1, max: 0x7ffe });
const number80 = fc.record({
  mant: sig,
  se: fc.tuple(fc.oneof(near, near, far), fc.boolean()).map(([e, s]) => e | (s ? 0x8000 : 0)),
});
const denormal80 = fc.record({
  mant: fc.bigInt({ min: 1n, max: (1n << 63n) - 1n }),
  se: fc.constantFrom(0, 0x8000),
});
const any80 = fc.oneof({ weight: 9, arbitrary: number80 }, { weight: 1, arbitrary: denormal80 });
const control = fc.record({ rc: fc.integer({ min: 0, max: 3 }), pc: fc.constantFrom(24, 53, 64) });
const PC = { 24: 0, 53: 2, 64: 3 } as Record<number, number>;

function run(c: { rc: number; pc: number }, fn: typeof add80, ...args: (bigint | number)[]): (bigint | number)[] {
  unit.set('fpuCw', 0x3f | (PC[c.pc]! << 8) | (c.rc << 10));
  unit.set('fpExc', 0);
  const r = unit.call(fn, ...args);
  return [...r, unit.get('fpExc')];
}
const isDenormal = (x: { mant: bigint; se: number }): boolean => (x.se & 0x7fff) === 0;

describe('extended arithmetic against exact rationals', () => {
  const cases: [string, typeof add80, (a: Rational, b: Rational) => Rational, number[]][] = [
    ['add', add80, exact.add, [0]],
    ['sub', add80, (a, b) => exact.add(a, { ...b, sign: b.sign ^ 1 }), [0x8000]],
    ['mul', mul80, exact.mul, []],
    ['div', div80, exact.div, []],
  ];
  for (const [name, fn, f, more] of cases) {
    it(name, () => {
      fc.assert(
        fc.property(any80, any80, control, (a, b, c) => {
          const x = f(value80(a.mant, a.se), value80(b.mant, b.se));
          if (x.num === 0n) return;
          const r = round(x, extended(c.pc), c.rc);
          const de = isDenormal(a) || isDenormal(b) ? 2 : 0;
          expect(run(c, fn, a.mant, a.se, b.mant, b.se, ...more)).toEqual([...encode80(x.sign, r), r.flags | de]);
        }),
        { numRuns: 3000 },
      );
    });
  }

  it('sqrt', () => {
    const isqrt = (n: bigint): bigint => {
      let x = 1n << BigInt((n.toString(2).length + 1) >> 1);
      for (;;) {
        const y = (x + n / x) >> 1n;
        if (y >= x) return x;
        x = y;
      }
    };
    fc.assert(
      fc.property(any80, control, (a, c) => {
        const se = a.se & 0x7fff;
        const v = value80(a.mant, se);
        // sqrt(num/den) with den a power of two made even, and 200 more bits; a sticky bit keeps it on its side
        const odd = (v.den.toString(2).length - 1) & 1 ? 1n : 0n;
        const n = (v.num << odd) << 400n;
        const root = isqrt(n);
        const x = {
          sign: 0,
          num: root * 2n + (root * root === n ? 0n : 1n),
          den: 1n << (BigInt((v.den.toString(2).length - 1 + Number(odd)) / 2) + 201n),
        };
        const r = round(x, extended(c.pc), c.rc);
        const [mant, rse, flags] = run(c, sqrt80, a.mant, se);
        expect([mant, rse, flags]).toEqual([...encode80(0, r), r.flags | (se === 0 ? 2 : 0)]);
      }),
      { numRuns: 1500 },
    );
  });

  it('remainders', () => {
    fc.assert(
      fc.property(number80, number80, fc.integer({ min: 0, max: 1 }), control, (a, b, nearest, c) => {
        const d = (a.se & 0x7fff) - (b.se & 0x7fff);
        if (Math.abs(d) > 300) return;
        const x = value80(a.mant, a.se & 0x7fff);
        const y = value80(b.mant, b.se & 0x7fff);
        const n = x.num * y.den;
        const m = y.num * x.den;
        let q = n / m;
        let rem = { sign: a.se >> 15, num: n % m, den: x.den * y.den };
        if (d < 64 && nearest && (2n * rem.num > m || (2n * rem.num === m && q & 1n))) {
          q++;
          rem = { sign: rem.sign ^ 1, num: m - rem.num, den: rem.den };
        }
        const [mant, se, codes] = run(c, rem80, a.mant, a.se, b.mant, b.se, nearest) as [bigint, number, number];
        if (d >= 64) {
          expect(codes).toBe(0x400);
          // congruent, smaller by at least 32 binades
          const r = value80(mant, se & 0x7fff);
          expect((r.num * y.den * x.den) % (y.num * r.den * x.den)).toBe((n * r.den) % (m * r.den));
          expect((a.se & 0x7fff) - (se & 0x7fff)).toBeGreaterThanOrEqual(32);
          return;
        }
        expect(codes).toBe(Number(((q & 4n) << 6n) | ((q & 2n) << 13n) | ((q & 1n) << 9n)));
        if (rem.num === 0n) expect([mant, se]).toEqual([0n, a.se & 0x8000]);
        else {
          const r = round(rem, extended(64), 0);
          expect(r.flags).toBe(0);
          expect([mant, se]).toEqual(encode80(rem.sign, r));
        }
      }),
      { numRuns: 2000 },
    );
  });

  it('compares', () => {
    fc.assert(
      fc.property(any80, any80, control, (a, b, c) => {
        const d = exact.add(value80(a.mant, a.se), { ...value80(b.mant, b.se), sign: (b.se >> 15) ^ 1 });
        const want = d.num === 0n ? 0x4000 : d.sign ? 0x100 : 0;
        expect(run(c, compare80, a.mant, a.se, b.mant, b.se, 0)[0]).toBe(want);
        expect(run(c, compare80, a.mant, a.se, a.mant, a.se, 0)[0]).toBe(0x4000);
      }),
    );
  });
});

describe('conversions', () => {
  it('rounds to double and single', () => {
    fc.assert(
      fc.property(any80, control, fc.boolean(), (a, c, single) => {
        const f = single ? { precision: 24, min: -126, max: 127 } : { precision: 53, min: -1022, max: 1023 };
        const r = round(value80(a.mant, a.se), f, c.rc);
        const ctl = 0x1f80 | (c.rc << 13);
        const [bits, flags] = run(c, single ? f80to32 : f80to64, a.mant, a.se, ctl) as [bigint, number];
        expect(flags).toBe(r.flags);
        const view = new DataView(new ArrayBuffer(8));
        view.setBigUint64(0, bits);
        const got = single ? view.getFloat32(4) : view.getFloat64(0);
        expect(Math.sign(got) < 0 || Object.is(got, -0)).toBe(a.se >= 0x8000);
        const want = r.kind === 'infinity' ? Number.POSITIVE_INFINITY : Number(r.sig) * 2 ** Math.max(r.exp, -1074);
        expect(Math.abs(got)).toBe(want);
      }),
      { numRuns: 2000 },
    );
  });

  it('brings doubles and integers across unchanged', () => {
    fc.assert(
      fc.property(
        fc.double({ noNaN: true }),
        fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n }),
        control,
        (d, i, c) => {
          const view = new DataView(new ArrayBuffer(8));
          view.setFloat64(0, d);
          const [m, se] = run(c, f64to80, view.getBigUint64(0)) as [bigint, number];
          expect(run(c, f80to64, m, se, 0x1f80)[0]).toBe(view.getBigUint64(0));
          const [im, ise] = run(c, int64to80, i) as [bigint, number];
          expect(run(c, f80toInt, im, ise, c.rc, 64)).toEqual([BigInt.asUintN(64, i), 0]);
        },
      ),
    );
  });

  it('rounds to integers', () => {
    fc.assert(
      fc.property(number80, control, fc.constantFrom(16, 32, 64), (a, c, bits) => {
        const v = value80(a.mant, a.se);
        const q = v.num / v.den;
        const r2 = (v.num % v.den) * 2n;
        const up =
          r2 !== 0n && (c.rc === 0 ? r2 > v.den || (r2 === v.den && (q & 1n) === 1n) : c.rc === (v.sign ? 1 : 2));
        const n = (q + (up ? 1n : 0n)) * (v.sign ? -1n : 1n);
        const flags = (r2 === 0n ? 0 : 0x20) | (up ? 0x200 : 0);
        const fits = n === BigInt.asIntN(bits, n);
        expect(run(c, f80toInt, a.mant, a.se, c.rc, bits)).toEqual(
          fits ? [BigInt.asUintN(64, n), flags] : [BigInt.asUintN(64, -(1n << BigInt(bits - 1))), 1],
        );
        const [rm, rse, rf] = run(c, rint80, a.mant, a.se, c.rc) as [bigint, number, number];
        const back = value80(rm, rse);
        expect(back.num).toBe((n < 0n ? -n : n) * back.den);
        expect(rse >> 15).toBe(v.sign);
        expect(rf).toBe(flags);
      }),
      { numRuns: 2000 },
    );
  });

  it('converts packed decimal both ways', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 10n ** 18n - 1n }), fc.boolean(), control, (n, s, c) => {
        const digits = BigInt(`0x${n}`);
        const lo = digits & ((1n << 64n) - 1n);
        const hi = Number(digits >> 64n) | (s ? 0x8000 : 0);
        const [m, se] = run(c, bcdTo80, lo, hi) as [bigint, number];
        const v = value80(m, se);
        expect([v.num / v.den, v.sign]).toEqual([n, s ? 1 : 0]);
        expect(run(c, f80toBcd, m, se, c.rc)).toEqual([lo, hi, 0]);
      }),
    );
  });

  it('scales and extracts', () => {
    const c = { rc: 0, pc: 64 };
    const int = (n: number): [bigint, number] => run(c, int64to80, BigInt(n)).slice(0, 2) as [bigint, number];
    expect(run(c, scale80, ...int(3), ...int(5))).toEqual([...int(96), 0]);
    expect(run(c, scale80, ...int(3), ...int(-40000))).toEqual([0n, 0, 0x30]);
    expect(run(c, extract80, ...int(-12))).toEqual([...int(3), 0xc000_0000_0000_0000n, 0xbfff, 0]);
    expect(run(c, extract80, 0n, 0)).toEqual([1n << 63n, 0xffff, 0n, 0, 4]);
  });
});

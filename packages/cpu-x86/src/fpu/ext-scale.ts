import type { Val } from '@sterna/wasm';
import { type Micro, micro } from '../semantics/micro.ts';
import {
  BIAS,
  Class,
  class80,
  INDEFINITE,
  nan80,
  returnInfinity,
  returnInvalid,
  returnNan,
  signOf,
  unpacked,
} from './ext-class.ts';
import { int64to80, roundInt80 } from './ext-convert.ts';
import { FpFlag, raise, round80 } from './round.ts';
import { multi, multi80 } from './util.ts';
import { TOP_BIT } from './wide.ts';

type I = Val<'i32'>;
type L = Val<'i64'>;

/** What an unmasked overflow takes from the exponent, and an unmasked underflow adds (SDM volume 1, 8.5.4). */
const WRAP = 0x6000;

/** `(ma, sa, mb, sb) -> (mant, se)`: a times two to the power of b truncated to an integer (FSCALE). */
export const scale80: Micro = micro('fp_scale80', ['i64', 'i32', 'i64', 'i32'], ['i64', 'i32'], (c) => {
  const a = { mant: c.param('i64', 0), se: c.param('i32', 1) };
  const b = { mant: c.param('i64', 2), se: c.param('i32', 3) };
  const ca = c.let(c.invoke<'i32'>(class80, a.mant, a.se));
  const cb = c.let(c.invoke<'i32'>(class80, b.mant, b.se));
  c.if(c.or(c.geU(ca, Class.QNAN), c.geU(cb, Class.QNAN)), () => returnNan(c, a, b));
  const sign = c.let(c.and(a.se, 0x8000));
  c.if(c.eq(cb, Class.INFINITY), () => {
    const down = c.let(signOf(c, b.se));
    c.if(c.select(down, c.eq(ca, Class.INFINITY), c.eqz(ca)), () => returnInvalid(c));
    c.if(c.eq(ca, Class.DENORMAL), () => raise(c, FpFlag.DE));
    c.if(down, () => c.return(c.i64(0), sign));
    returnInfinity(c, sign);
  });
  c.if(c.or(c.eq(ca, Class.DENORMAL), c.eq(cb, Class.DENORMAL)), () => raise(c, FpFlag.DE));
  c.if(c.or(c.eqz(ca), c.eq(ca, Class.INFINITY)), () => c.return(a.mant, a.se));
  const n = c.local('i32');
  c.if(
    c.eqz(cb),
    () => c.set(n, c.i32(0)),
    () => {
      const eb = c.let(c.and(b.se, 0x7fff));
      c.if(
        c.gtU(eb, BIAS + 16),
        () => c.set(n, c.i32(0x10000)),
        () => {
          const [mag] = multi(c, roundInt80, b.mant, b.se, c.i32(3)) as [L, I, I];
          c.set(n, c.wrap(mag));
        },
      );
      c.if(signOf(c, b.se), () => c.set(n, c.neg(n)));
    },
  );
  const u = unpacked(c, a);
  const exp = c.let(c.add(u.exp, n));
  // unmasked, the result has an exponent moved back into the range; beyond twice that it is what it would be when masked
  const unmasked = (flag: number): I => c.eqz(c.and(c.get('fpuCw'), flag));
  c.if(c.and(c.gtS(exp, 0x7ffe + WRAP), unmasked(FpFlag.OE)), () => {
    raise(c, FpFlag.OE | FpFlag.PE);
    returnInfinity(c, sign);
  });
  c.if(c.and(c.ltS(exp, 1 - WRAP), unmasked(FpFlag.UE)), () => {
    raise(c, FpFlag.UE | FpFlag.PE);
    c.return(c.i64(0), sign);
  });
  const r = multi80(c, round80, signOf(c, a.se), exp, u.sig, c.i64(0), c.or(c.get('fpuCw'), 0x300));
  c.return(r.mant, r.se);
});

/** `(mant, se) -> (exponent mant, exponent se, significand mant, significand se)` (FXTRACT). */
export const extract80: Micro = micro('fp_extract80', ['i64', 'i32'], ['i64', 'i32', 'i64', 'i32'], (c) => {
  const a = { mant: c.param('i64', 0), se: c.param('i32', 1) };
  const ca = c.let(c.invoke<'i32'>(class80, a.mant, a.se));
  const sign = c.let(c.and(a.se, 0x8000));
  c.if(c.geU(ca, Class.QNAN), () => {
    const r = multi80(c, nan80, a.mant, a.se, a.mant, a.se);
    c.return(r.mant, r.se, r.mant, r.se);
  });
  c.if(c.eq(ca, Class.INFINITY), () => c.return(a.mant, c.i32(0x7fff), a.mant, a.se));
  c.if(c.eqz(ca), () => {
    raise(c, FpFlag.ZE);
    c.return(c.i64(TOP_BIT), c.i32(0xffff), a.mant, a.se);
  });
  c.if(c.eq(ca, Class.DENORMAL), () => raise(c, FpFlag.DE));
  const u = unpacked(c, a);
  const e = multi80(c, int64to80, c.extS(c.sub(u.exp, BIAS)));
  c.return(e.mant, e.se, u.sig, c.or(sign, BIAS));
});

/** Largest magnitude of packed decimal: 18 digits. */
const MAX_BCD = 999_999_999_999_999_999n;

/** `(low 8 bytes, high 2 bytes) -> (mant, se)`: packed decimal, exactly (FBLD). */
export const bcdTo80: Micro = micro('fp_bcd_to80', ['i64', 'i32'], ['i64', 'i32'], (c) => {
  const [lo, hi] = [c.param('i64', 0), c.param('i32', 1)];
  const sum = c.local('i64');
  const n = c.local('i32');
  c.set(sum, c.extU(c.add(c.mul(c.and(c.shrU(hi, 4), 15), 10), c.and(hi, 15))));
  c.set(n, c.i32(16));
  c.loop((again) => {
    c.set(sum, c.add(c.mul(sum, 10), c.shrU(lo, 60)));
    c.set(lo, c.shl(lo, 4));
    c.set(n, c.sub(n, 1));
    c.brIf(again, n);
  });
  const r = multi80(c, int64to80, sum);
  c.return(r.mant, c.or(r.se, c.and(hi, 0x8000)));
});

/** `(mant, se, rc) -> (low 8 bytes, high 2 bytes)`: to packed decimal (FBSTP); the indefinite with IE when it does not fit. */
export const f80toBcd: Micro = micro('fp_80to_bcd', ['i64', 'i32', 'i32'], ['i64', 'i32'], (c) => {
  const [mant, se, rc] = [c.param('i64', 0), c.param('i32', 1), c.param('i32', 2)];
  c.if(c.ltU(c.invoke<'i32'>(class80, mant, se), Class.INFINITY), () => {
    const [mag, report, over] = multi(c, roundInt80, mant, se, rc) as [L, I, I];
    c.if(c.and(c.eqz(over), c.leU(mag, MAX_BCD)), () => {
      c.if(report, () => raise(c, report));
      const lo = c.local('i64');
      const n = c.local('i32');
      c.set(lo, c.i64(0));
      c.set(n, c.i32(16));
      c.loop((again) => {
        c.set(lo, c.or(c.shrU(lo, 4), c.shl(c.remU(mag, 10), 60)));
        c.set(mag, c.divU(mag, 10));
        c.set(n, c.sub(n, 1));
        c.brIf(again, n);
      });
      const top = c.wrap(c.or(c.shl(c.divU(mag, 10), 4), c.remU(mag, 10)));
      c.return(lo, c.or(top, c.and(se, 0x8000)));
    });
  });
  raise(c, FpFlag.IE);
  c.return(c.i64(INDEFINITE.mant), c.i32(INDEFINITE.se));
});

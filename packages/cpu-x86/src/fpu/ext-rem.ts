import type { Val } from '@sterna/wasm';
import { type Micro, micro } from '../semantics/micro.ts';
import { Class, class80, INDEFINITE, nan80, signOf, unpacked } from './ext-class.ts';
import { FpFlag, raise, round80 } from './round.ts';
import { multi, multi80 } from './util.ts';
import { div128 } from './wide.ts';

type L = Val<'i64'>;

/**
 * `(ma, sa, mb, sb, nearest) -> (mant, se, codes)`: partial remainder of a by b; `nearest` 1 for the IEEE remainder (FPREM1),
 * 0 for the truncating one (FPREM). `codes` are C0-C3 in status word positions: the quotient's low bits, or C2 when the
 * reduction is not complete, or -1 for NaN results.
 */
export const rem80: Micro = micro('fp_rem80', ['i64', 'i32', 'i64', 'i32', 'i32'], ['i64', 'i32', 'i32'], (c) => {
  const a = { mant: c.param('i64', 0), se: c.param('i32', 1) };
  const b = { mant: c.param('i64', 2), se: c.param('i32', 3) };
  const nearest = c.param('i32', 4);
  const ca = c.let(c.invoke<'i32'>(class80, a.mant, a.se));
  const cb = c.let(c.invoke<'i32'>(class80, b.mant, b.se));
  c.if(c.or(c.geU(ca, Class.QNAN), c.geU(cb, Class.QNAN)), () => {
    const r = multi80(c, nan80, a.mant, a.se, b.mant, b.se);
    c.return(r.mant, r.se, c.i32(-1));
  });
  c.if(c.or(c.eq(ca, Class.INFINITY), c.eqz(cb)), () => {
    raise(c, FpFlag.IE);
    c.return(c.i64(INDEFINITE.mant), c.i32(INDEFINITE.se), c.i32(-1));
  });
  c.if(c.or(c.eq(ca, Class.DENORMAL), c.eq(cb, Class.DENORMAL)), () => raise(c, FpFlag.DE));
  c.if(c.eqz(ca), () => c.return(a.mant, a.se, c.i32(0)));
  const ua = unpacked(c, a);
  c.if(c.eq(cb, Class.INFINITY), () => {
    // a itself, but a denormal underflows when that is unmasked
    const r = multi80(c, round80, signOf(c, a.se), ua.exp, ua.sig, c.i64(0), c.or(c.get('fpuCw'), 0x300));
    c.return(r.mant, r.se, c.i32(0));
  });
  const ub = unpacked(c, b);
  const sign = c.local('i32');
  c.set(sign, signOf(c, a.se));
  const d = c.let(c.sub(ua.exp, ub.exp));
  const exp = c.local('i32');
  const rem = c.local('i64');
  const q = c.local('i64');
  const codes = c.local('i32');
  c.set(exp, ub.exp);
  c.if(
    c.ltS(d, 0),
    () => {
      c.set(exp, ua.exp);
      c.set(rem, ua.sig);
      // half of b is reached only one binade below it
      c.if(c.and(c.and(nearest, c.eq(d, -1)), c.gtU(ua.sig, ub.sig)), () => {
        c.set(rem, c.sub(c.shl(ub.sig, 1), ua.sig));
        c.set(sign, c.xor(sign, 1));
        c.set(q, c.i64(1));
      });
    },
    () => {
      const n = c.local('i32');
      c.set(n, d);
      c.if(c.geU(d, 64), () => {
        // incomplete: between 32 and 63 bits of the quotient, so that the rest is a multiple of 32
        c.set(n, c.or(c.and(d, 31), 32));
        c.set(codes, c.i32(0x400));
      });
      const first = c.let(c.geU(ua.sig, ub.sig));
      c.set(q, c.extU(first));
      c.set(rem, c.select(first, c.sub(ua.sig, ub.sig), ua.sig));
      c.if(n, () => {
        const k = c.let(c.extU(n));
        const [q2, r2] = multi(c, div128, c.shrU(rem, c.sub(c.i64(64), k)), c.shl(rem, k), ub.sig) as [L, L];
        c.set(rem, r2);
        c.set(q, c.add(c.shl(q, k), q2));
      });
      c.set(exp, c.add(ub.exp, c.sub(d, n)));
      c.if(c.and(nearest, c.eqz(codes)), () => {
        const other = c.let(c.sub(ub.sig, rem));
        const odd = c.and(c.wrap(q), 1);
        c.if(c.or(c.gtU(rem, other), c.and(c.eq(rem, other), odd)), () => {
          c.set(rem, other);
          c.set(sign, c.xor(sign, 1));
          c.set(q, c.add(q, 1));
        });
      });
    },
  );
  c.if(c.eqz(codes), () => {
    // q2 -> C0, q1 -> C3, q0 -> C1
    const low = c.let(c.wrap(q));
    const c0 = c.shl(c.and(low, 4), 6);
    const c3 = c.shl(c.and(low, 2), 13);
    const c1 = c.shl(c.and(low, 1), 9);
    c.set(codes, c.or(c.or(c0, c3), c1));
  });
  c.if(c.eqz(rem), () => c.return(c.i64(0), c.shl(signOf(c, a.se), 15), codes));
  const n = c.let(c.clz(rem));
  const r = multi80(c, round80, sign, c.sub(exp, c.wrap(n)), c.shl(rem, n), c.i64(0), c.or(c.get('fpuCw'), 0x300));
  c.return(r.mant, r.se, codes);
});

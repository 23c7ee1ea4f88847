import type { Val } from '@sterna/wasm';
import { type Micro, micro } from '../semantics/micro.ts';
import { multi } from './util.ts';
import { div128, mul128, shrJam128, sqrt128, TOP_BIT } from './wide.ts';

// Exact arithmetic on finite, non-zero, normalised numbers (bit 63 of the significand set, exponents with the extended bias
// and unbounded). Results have a sticky fraction and are ready for rounding.

const BIAS = 0x3fff;

type L = Val<'i64'>;

/** `(sa, ea, ma, sb, eb, mb) -> (sign, exponent, sig, extra)`; `sig` 0 means that the sum is exactly zero. */
export const addCore: Micro = micro(
  'fp_add_core',
  ['i32', 'i32', 'i64', 'i32', 'i32', 'i64'],
  ['i32', 'i32', 'i64', 'i64'],
  (c) => {
    const [sa, ea, ma] = [c.param('i32', 0), c.param('i32', 1), c.param('i64', 2)];
    const [sb, eb, mb] = [c.param('i32', 3), c.param('i32', 4), c.param('i64', 5)];
    // make |a| >= |b|
    c.if(c.or(c.ltS(ea, eb), c.and(c.eq(ea, eb), c.ltU(ma, mb))), () => {
      const t = c.let(sa);
      c.set(sa, sb);
      c.set(sb, t);
      const e = c.let(ea);
      c.set(ea, eb);
      c.set(eb, e);
      const x = c.let(ma);
      c.set(ma, mb);
      c.set(mb, x);
    });
    const [hi, lo] = multi(c, shrJam128, mb, c.i64(0), c.sub(ea, eb)) as [L, L];
    c.if(c.eq(sa, sb), () => {
      const sum = c.let(c.add(ma, hi));
      c.if(c.ltU(sum, ma), () => {
        const jam = c.or(c.or(c.shl(sum, 63), c.shrU(lo, 1)), c.and(lo, 1));
        c.return(sa, c.add(ea, 1), c.or(c.shrU(sum, 1), TOP_BIT), jam);
      });
      c.return(sa, ea, sum, lo);
    });
    const dHi = c.local('i64');
    const dLo = c.local('i64');
    c.set(dLo, c.sub(c.i64(0), lo));
    c.set(dHi, c.sub(c.sub(ma, hi), c.extU(c.ne(lo, 0))));
    c.if(c.eqz(dHi), () => {
      c.if(c.eqz(dLo), () => c.return(sa, c.i32(0), c.i64(0), c.i64(0)));
      c.set(dHi, dLo);
      c.set(dLo, c.i64(0));
      c.set(ea, c.sub(ea, 64));
    });
    const n = c.let(c.clz(dHi));
    const carried = c.shrU(c.shrU(dLo, 1), c.xor(n, 63));
    c.return(sa, c.sub(ea, c.wrap(n)), c.or(c.shl(dHi, n), carried), c.shl(dLo, n));
  },
);

/** `(ea, ma, eb, mb) -> (exponent, sig, extra)`. */
export const mulCore: Micro = micro('fp_mul_core', ['i32', 'i64', 'i32', 'i64'], ['i32', 'i64', 'i64'], (c) => {
  const [ea, ma, eb, mb] = [c.param('i32', 0), c.param('i64', 1), c.param('i32', 2), c.param('i64', 3)];
  const [hi, lo] = multi(c, mul128, ma, mb) as [L, L];
  const e = c.let(c.sub(c.add(ea, eb), BIAS - 1));
  c.if(c.ltS(hi, 0), () => c.return(e, hi, lo));
  c.return(c.sub(e, 1), c.or(c.shl(hi, 1), c.shrU(lo, 63)), c.shl(lo, 1));
});

/** `(ea, ma, eb, mb) -> (exponent, sig, extra)`. */
export const divCore: Micro = micro('fp_div_core', ['i32', 'i64', 'i32', 'i64'], ['i32', 'i64', 'i64'], (c) => {
  const [ea, ma, eb, mb] = [c.param('i32', 0), c.param('i64', 1), c.param('i32', 2), c.param('i64', 3)];
  const small = c.let(c.ltU(ma, mb));
  const hi = c.select(small, ma, c.shrU(ma, 1));
  const lo = c.select(small, c.i64(0), c.shl(ma, 63));
  const [q, r] = multi(c, div128, hi, lo, mb) as [L, L];
  // the fraction r / mb, compared with one half
  const twice = c.let(c.shl(r, 1));
  const half = c.or(c.ltS(r, 0), c.geU(twice, mb));
  const off = c.or(c.ltS(r, 0), c.ne(twice, mb));
  const extra = c.or(c.shl(c.extU(half), 63), c.extU(off));
  c.return(c.sub(c.add(c.sub(ea, eb), BIAS), small), q, c.select(c.eqz(r), c.i64(0), extra));
});

/** `(e, m) -> (exponent, sig, extra)` of a positive number. */
export const sqrtCore: Micro = micro('fp_sqrt_core', ['i32', 'i64'], ['i32', 'i64', 'i64'], (c) => {
  const [e, sig] = [c.param('i32', 0), c.param('i64', 1)];
  // an odd bias: an even field is an odd power, whose radicand keeps its place
  const even = c.let(c.eqz(c.and(e, 1)));
  const hi = c.select(even, sig, c.shrU(sig, 1));
  const lo = c.select(even, c.i64(0), c.shl(sig, 63));
  const [root, rel] = multi(c, sqrt128, hi, lo) as [L, Val<'i32'>];
  const exp = c.add(c.shrS(c.sub(e, BIAS), 1), BIAS);
  // the remainder is never exactly half way
  const extra = c.select(c.eq(rel, 2), c.i64(TOP_BIT | 1n), c.extU(rel));
  c.return(exp, root, extra);
});

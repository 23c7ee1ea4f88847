import type { Val } from '@sterna/wasm';
import { type Micro, micro } from '../semantics/micro.ts';
import { multi } from './util.ts';

const LOW32 = 0xffffffffn;
/** The top bit of a 64-bit significand. */
export const TOP_BIT: bigint = 1n << 63n;

/** `(hi, lo, n) -> (hi, lo)`: right shift by any `n >= 0`; bits shifted out are kept as a sticky bit 0. */
export const shrJam128: Micro = micro('fp_shrjam', ['i64', 'i64', 'i32'], ['i64', 'i64'], (c) => {
  const [hi, lo, n] = [c.param('i64', 0), c.param('i64', 1), c.param('i32', 2)];
  c.if(c.eqz(n), () => c.return(hi, lo));
  const k = c.let(c.and(c.extU(n), 63));
  // two steps, so that a count of 64 - 0 loses everything
  const lost = (x: Val<'i64'>): Val<'i64'> => c.shl(c.shl(x, 1), c.xor(k, 63));
  const shr = (x: Val<'i64'>): Val<'i64'> => c.shrU(x, k);
  c.if(c.ltU(n, 64), () => c.return(shr(hi), c.or(c.or(lost(hi), shr(lo)), c.extU(c.ne(lost(lo), 0)))));
  c.if(c.ltU(n, 128), () => c.return(c.i64(0), c.or(shr(hi), c.extU(c.ne(c.or(lost(hi), lo), 0)))));
  c.return(c.i64(0), c.extU(c.ne(c.or(hi, lo), 0)));
});

/** `(a, b) -> (hi, lo)`: unsigned product. */
export const mul128: Micro = micro('fp_mul128', ['i64', 'i64'], ['i64', 'i64'], (c) => {
  const [a, b] = [c.param('i64', 0), c.param('i64', 1)];
  const al = c.let(c.and(a, LOW32));
  const ah = c.let(c.shrU(a, 32));
  const bl = c.let(c.and(b, LOW32));
  const bh = c.let(c.shrU(b, 32));
  const low = c.let(c.mul(al, bl));
  const mid = c.let(c.add(c.mul(ah, bl), c.shrU(low, 32)));
  const mid2 = c.let(c.add(c.mul(al, bh), c.and(mid, LOW32)));
  c.return(c.add(c.add(c.mul(ah, bh), c.shrU(mid, 32)), c.shrU(mid2, 32)), c.or(c.shl(mid2, 32), c.and(low, LOW32)));
});

// one digit of a base 2^32 long division: (rem * 2^32 + digit) / d
const divDigit: Micro = micro('fp_divdigit', ['i64', 'i64', 'i64'], ['i64', 'i64'], (c) => {
  const [rem, digit, d] = [c.param('i64', 0), c.param('i64', 1), c.param('i64', 2)];
  const dh = c.let(c.shrU(d, 32));
  const dl = c.let(c.and(d, LOW32));
  const q = c.local('i64');
  c.set(q, c.divU(rem, dh));
  const r = c.local('i64');
  c.set(r, c.sub(rem, c.mul(q, dh)));
  c.block((done) => {
    c.loop((again) => {
      const fits = c.and(c.leU(q, LOW32), c.leU(c.mul(q, dl), c.or(c.shl(r, 32), digit)));
      c.brIf(done, fits);
      c.set(q, c.sub(q, 1));
      c.set(r, c.add(r, dh));
      c.brIf(again, c.leU(r, LOW32));
    });
  });
  c.return(q, c.sub(c.or(c.shl(rem, 32), digit), c.mul(q, d)));
});
/** `(hi, lo, d) -> (q, r)`: unsigned quotient; needs bit 63 of `d` set and `hi < d`. */
export const div128: Micro = micro('fp_div128', ['i64', 'i64', 'i64'], ['i64', 'i64'], (c) => {
  const [hi, lo, d] = [c.param('i64', 0), c.param('i64', 1), c.param('i64', 2)];
  const [q1, r1] = multi(c, divDigit, hi, c.shrU(lo, 32), d) as [Val<'i64'>, Val<'i64'>];
  const [q0, r0] = multi(c, divDigit, r1, c.and(lo, LOW32), d) as [Val<'i64'>, Val<'i64'>];
  c.return(c.or(c.shl(q1, 32), q0), r0);
});

// Digit by digit: two bits of the radicand bring one bit of the root. The remainder needs 66 bits, hence the pair.
/** `(hi, lo) -> (root, relation)`: integer square root; relation 0 exact, 1 remainder up to the root, 2 above it. */
export const sqrt128: Micro = micro('fp_sqrt128', ['i64', 'i64'], ['i64', 'i32'], (c) => {
  const hi = c.param('i64', 0);
  const lo = c.param('i64', 1);
  const root = c.local('i64');
  const remHi = c.local('i64');
  const rem = c.local('i64');
  const n = c.local('i32');
  c.set(n, 64);
  c.loop((again) => {
    c.set(remHi, c.or(c.shl(remHi, 2), c.shrU(rem, 62)));
    c.set(rem, c.or(c.shl(rem, 2), c.shrU(hi, 62)));
    c.set(hi, c.or(c.shl(hi, 2), c.shrU(lo, 62)));
    c.set(lo, c.shl(lo, 2));
    c.scope(() => {
      // trial = 4 * root + 1
      const tHi = c.let(c.shrU(root, 62));
      const t = c.let(c.or(c.shl(root, 2), 1));
      const fits = c.let(c.or(c.gtU(remHi, tHi), c.and(c.eq(remHi, tHi), c.geU(rem, t))));
      c.set(root, c.or(c.shl(root, 1), c.extU(fits)));
      c.if(fits, () => {
        c.set(remHi, c.sub(c.sub(remHi, tHi), c.extU(c.ltU(rem, t))));
        c.set(rem, c.sub(rem, t));
      });
    });
    c.set(n, c.sub(n, 1));
    c.brIf(again, n);
  });
  const above = c.or(c.ne(remHi, 0), c.gtU(rem, root));
  c.return(root, c.select(above, c.i32(2), c.ne(rem, 0)));
});

/** `(sign, rc, extra, odd) -> i32`: whether a magnitude with the fraction `extra` (bit 63 = one half) is incremented. */
export const increments: Micro = micro('fp_increments', ['i32', 'i32', 'i64', 'i32'], ['i32'], (c) => {
  const [sign, rc, extra, odd] = [c.param('i32', 0), c.param('i32', 1), c.param('i64', 2), c.param('i32', 3)];
  c.if(c.eqz(rc), () => {
    const half = TOP_BIT;
    c.return(c.or(c.gtU(extra, half), c.and(c.eq(extra, half), odd)));
  });
  // 1 down, 2 up, 3 toward zero
  c.return(c.and(c.ne(extra, 0), c.eq(rc, c.sub(c.i32(2), sign))));
});

import type { Val } from '@sterna/wasm';
import type { Machine } from './machine.ts';
import { type Micro, micro } from './micro.ts';

/** High half of the unsigned product of two 64-bit numbers. */
export const multiplyHigh: Micro = micro('multiply_high', ['i64', 'i64'], ['i64'], (m) => {
  const a = m.param('i64', 0);
  const b = m.param('i64', 1);
  const low = 0xffff_ffff;
  const a0 = m.let(m.and(a, low));
  const a1 = m.let(m.shrU(a, 32));
  const b0 = m.let(m.and(b, low));
  const b1 = m.let(m.shrU(b, 32));
  const mid = m.let(m.add(m.mul(a1, b0), m.shrU(m.mul(a0, b0), 32)));
  const other = m.let(m.add(m.mul(a0, b1), m.and(mid, low)));
  m.return(m.add(m.add(m.mul(a1, b1), m.shrU(mid, 32)), m.shrU(other, 32)));
});

/**
 * Unsigned 128 by 64 division: parameters high, low, divisor with high < divisor. Returns the quotient, remainder in temp[0].
 * Long division in base 2^32 (Knuth, volume 2, 4.3.1, algorithm D).
 */
export const divide128: Micro = micro('divide128', ['i64', 'i64', 'i64'], ['i64'], (m) => {
  const high = m.param('i64', 0);
  const low = m.param('i64', 1);
  const d = m.param('i64', 2);
  m.if(m.eqz(high), () => {
    m.put('temp', m.remU(low, d));
    m.return(m.divU(low, d));
  });
  const shift = m.let(m.clz(d));
  const v = m.let(m.shl(d, shift));
  const v1 = m.let(m.shrU(v, 32));
  const v0 = m.let(m.and(v, 0xffff_ffff));
  // the numerator shifted alike; a shift of 64 must give zero
  const spill = m.select(m.eqz(shift), m.i64(0), m.shrU(low, m.sub(m.i64(64), shift)));
  const u = m.let(m.or(m.shl(high, shift), spill));
  const tail = m.let(m.shl(low, shift));
  const q1 = digit(m, u, m.let(m.shrU(tail, 32)), v1, v0);
  const rest = m.let(m.sub(m.or(m.shl(u, 32), m.shrU(tail, 32)), m.mul(q1, v)));
  const q0 = digit(m, rest, m.let(m.and(tail, 0xffff_ffff)), v1, v0);
  const last = m.sub(m.or(m.shl(rest, 32), m.and(tail, 0xffff_ffff)), m.mul(q0, v));
  m.put('temp', m.shrU(last, shift));
  m.return(m.or(m.shl(q1, 32), q0));
});

/** One 32-bit digit of the quotient of (u, next) by v1:v0. */
function digit(m: Machine, u: Val<'i64'>, next: Val<'i64'>, v1: Val<'i64'>, v0: Val<'i64'>): Val<'i64'> {
  const q = m.let(m.divU(u, v1));
  const r = m.let(m.remU(u, v1));
  m.block((done) => {
    m.loop((again) => {
      const tooBig = m.or(m.ne(m.shrU(q, 32), 0), m.gtU(m.mul(q, v0), m.or(m.shl(r, 32), next)));
      m.brIf(done, m.eqz(tooBig));
      m.set(q, m.sub(q, 1));
      m.set(r, m.add(r, v1));
      m.brIf(again, m.eqz(m.shrU(r, 32)));
    });
  });
  return q;
}

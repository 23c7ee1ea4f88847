import type { Val } from '@sterna/wasm';
import type { Machine } from '../semantics/machine.ts';
import type { Arith, Shape } from './shapes.ts';

type I = Val<'i32'>;
type L = Val<'i64'>;
type D = Val<'f64'>;

/*
 * Arithmetic that is exact raises nothing, whatever is masked and whether or not PE is set. Programs that only compute with
 * whole numbers never set PE, so they come here with every operation.
 */

/** Not 0 when a number may be denormal, infinite, a NaN, or near the ends of the range. Zero is. */
function extreme(m: Machine, shape: Shape, x: D): I {
  const size = m.let(m.funary('abs', x));
  const [least, most] = shape === 'f64x2' ? [2 ** -500, 2 ** 500] : [2 ** -60, 2 ** 60];
  const literal = (v: number): D => (shape === 'f64x2' ? m.f64(v) : m.f32(v)) as D;
  return m.eqz(m.and(m.fge(size, literal(least)), m.fle(size, literal(most))));
}

/** Zero bits at the end of a double's significand. */
function trailing(m: Machine, x: D): L {
  return m.ctz(m.or(m.reinterpret(x), 1n << 52n));
}

/** Statement: returns the bits of `a op b` when the result is exact under rounding to nearest. */
export function returnExact(m: Machine, shape: Shape, op: Arith, a: D, b: D): void {
  if (op === 'min' || op === 'max') return;
  const single = shape === 'f32x4';
  const r = m.let(op === 'add' ? m.add(a, b) : op === 'sub' ? m.sub(a, b) : op === 'mul' ? m.mul(a, b) : m.fdiv(a, b));
  const give = (): void => m.return(m.reinterpret(r));
  // rounding to nearest, no DAZ, no FTZ
  const plain = m.eqz(m.and(m.get('mxcsr'), 0xe040));
  const zero = (x: D): I => m.eq(x, (single ? m.f32(0) : m.f64(0)) as D);
  const inside = (x: D): I => m.or(m.eqz(extreme(m, shape, x)), zero(x));
  if (op === 'add' || op === 'sub') {
    // the error of a sum is itself a number (Knuth, volume 2, 4.2.2, theorem B)
    m.if(m.and(plain, m.and(inside(a), inside(b))), () => {
      const c = op === 'add' ? b : m.let(m.funary('neg', b));
      const t = m.let(m.sub(r, a));
      const error = m.add(m.sub(a, m.sub(r, t)), m.sub(c, t));
      m.if(zero(error), give);
    });
    return;
  }
  const wide = (x: D): D => (single ? m.let(m.promote(x as unknown as Val<'f32'>)) : x);
  const [factor, other, product] = op === 'mul' ? [a, b, r] : [r, b, a];
  const fine = m.and(inside(a), m.and(m.eqz(extreme(m, shape, b)), inside(r)));
  m.if(m.and(plain, fine), () => {
    const [x, y] = [wide(factor), wide(other)];
    // the product of as many bits as fit is what it should be
    const fits = single ? m.i32(1) : m.or(zero(factor), m.geU(m.add(trailing(m, x), trailing(m, y)), m.i64(53)));
    m.if(m.and(fits, m.eq(m.mul(x, y), wide(product))), give);
  });
}

import type { Val } from '@sterna/wasm';
import type { Machine } from '../semantics/machine.ts';
import { type Micro, micro } from '../semantics/micro.ts';
import { lane, type Shape, simple, softOf, splat, withLane } from './simd.ts';
import { SOFT32, SOFT64 } from './small.ts';

type I = Val<'i32'>;
type L = Val<'i64'>;

/** Rounding control of MXCSR, 0-3. */
export function mxcsrRounding(m: Machine): I {
  return m.and(m.shrU(m.get('mxcsr'), 13), 3);
}

/** `(bits, truncate) -> i64`: a scalar to a signed integer of `width` bits; zero-extended when 32. */
function toInteger(shape: Shape, width: 32 | 64): Micro {
  const fmt = shape === 'f32x4' ? 'f32' : 'f64';
  return micro(`cvt_${fmt}_to_i${width}`, ['i64', 'i32'], ['i64'], (m) => {
    const bits = m.param('i64', 0);
    const chop = m.param('i32', 1);
    const x = (fmt === 'f32' ? m.let(m.reinterpret(m.wrap(bits))) : m.let(m.reinterpret(bits))) as Val<'f64'>;
    const limit = 2 ** (width - 1);
    const bound = (fmt === 'f32' ? m.f32(limit) : m.f64(limit)) as Val<'f64'>;
    const zeroExtend = (v: L): L => (width === 32 ? m.and(v, 0xffff_ffffn) : v);
    // exact conversions raise nothing whatever the rounding mode
    m.if(m.flt(m.funary('abs', x), bound), () => {
      const r = m.let(m.truncSat('i64', x));
      m.if(m.eq(m.convert(fmt, r) as Val<'f64'>, x), () => m.return(zeroExtend(r)), undefined, true);
      m.if(m.and(chop, m.eq(m.and(m.get('mxcsr'), 0x1020), 0x1020)), () => m.return(zeroExtend(r)), undefined, true);
    });
    const rc = m.select(chop, m.i32(3), mxcsrRounding(m));
    m.return(zeroExtend(m.invoke<'i64'>(softOf(shape).toInt, bits, rc, m.i32(width))));
  });
}

/** `(bits, truncate) -> i64` by source shape and destination width. */
export const TO_INT: Readonly<Record<Shape, Readonly<Record<32 | 64, Micro>>>> = {
  f32x4: { 32: toInteger('f32x4', 32), 64: toInteger('f32x4', 64) },
  f64x2: { 32: toInteger('f64x2', 32), 64: toInteger('f64x2', 64) },
};

function fromInteger(shape: Shape): Micro {
  const fmt = shape === 'f32x4' ? 'f32' : 'f64';
  return micro(`cvt_int_to_${fmt}`, ['i64'], ['i64'], (m) => {
    const x = m.param('i64', 0);
    m.if(
      simple(m),
      () => {
        const r = m.convert(fmt, x);
        m.return(fmt === 'f32' ? m.extU(m.reinterpret(r as Val<'f32'>)) : m.reinterpret(r as Val<'f64'>));
      },
      undefined,
      true,
    );
    m.return(m.invoke<'i64'>(softOf(shape).fromInt, x));
  });
}

/** `(signed i64) -> bits`: an integer to single or double. */
export const FROM_INT: Readonly<Record<Shape, Micro>> = { f32x4: fromInteger('f32x4'), f64x2: fromInteger('f64x2') };

/** `(bits) -> bits`: double to single. */
export const NARROW: Micro = micro('cvt_f64_to_f32', ['i64'], ['i64'], (m) => {
  const bits = m.param('i64', 0);
  const x = m.let(m.reinterpret(bits));
  const r = m.let(m.demote(x));
  const size = m.let(m.funary('abs', r));
  const inside = m.and(m.fgt(size, m.f32(2 ** -126)), m.flt(size, m.f32(Number.POSITIVE_INFINITY)));
  const fine = m.or(inside, m.eq(x, m.f64(0)));
  m.if(m.and(simple(m), fine), () => m.return(m.extU(m.reinterpret(r))), undefined, true);
  m.return(m.invoke<'i64'>(SOFT64.convert, bits));
});

/** `(bits) -> bits`: single to double. */
export const WIDEN: Micro = micro('cvt_f32_to_f64', ['i64'], ['i64'], (m) => {
  const bits = m.param('i64', 0);
  const x = m.let(m.reinterpret(m.wrap(bits)));
  const size = m.let(m.funary('abs', x));
  const inside = m.and(m.fge(size, m.f32(2 ** -126)), m.flt(size, m.f32(Number.POSITIVE_INFINITY)));
  m.if(m.or(inside, m.eq(x, m.f32(0))), () => m.return(m.reinterpret(m.promote(x))), undefined, true);
  m.return(m.invoke<'i64'>(SOFT32.convert, bits));
});

const all = (m: Machine, mask: Val<'v128'>): I => m.eqz(m.simdTest('v128.any_true', m.simd('v128.not', mask)));

/** `(v128) -> v128`: four integers to singles. */
export const FROM_INT_PACKED: Micro = micro('cvt_i32x4_to_f32x4', ['v128'], ['v128'], (m) => {
  const x = m.param('v128', 0);
  m.if(simple(m), () => m.return(m.simd('f32x4.convert_i32x4_s', x)), undefined, true);
  m.return(mapLanes(m, x, 'i32x4', 'f32x4', 4, (v) => m.invoke<'i64'>(FROM_INT.f32x4, v)));
});

/** `(v128, truncate) -> v128`: four singles to integers. */
export const TO_INT_PACKED: Micro = micro('cvt_f32x4_to_i32x4', ['v128', 'i32'], ['v128'], (m) => {
  const [x, chop] = [m.param('v128', 0), m.param('i32', 1)];
  const limit = splat('f32x4', 0x4f00_0000n);
  const inside = all(m, m.simd('f32x4.lt', m.simd('f32x4.abs', x), limit));
  m.if(
    m.and(simple(m), inside),
    () => {
      const r = m.select(chop, x, m.simd('f32x4.nearest', x));
      m.return(m.simd('i32x4.trunc_sat_f32x4_s', r));
    },
    undefined,
    true,
  );
  m.return(mapLanes(m, x, 'f32x4', 'i32x4', 4, (v) => m.invoke<'i64'>(TO_INT.f32x4[32], v, chop)));
});

/** Four or two lanes of one vector converted one by one into lanes of another that starts as zero. */
export function mapLanes(
  m: Machine,
  source: Val<'v128'>,
  from: Shape | 'i32x4',
  to: Shape | 'i32x4',
  count: number,
  fn: (x: L) => L,
): Val<'v128'> {
  const out = m.local('v128');
  m.set(out, m.simd('i64x2.splat', m.i64(0)));
  const shape = (s: Shape | 'i32x4'): Shape => (s === 'i32x4' ? 'f32x4' : s);
  for (let i = 0; i < count; i++) {
    const x = from === 'i32x4' ? m.extS(m.extractLane('i32x4', source, i)) : lane(m, shape(from), source, i);
    const v = m.let(fn(m.let(x)));
    m.set(out, withLane(m, shape(to), out, i, v));
  }
  return out;
}

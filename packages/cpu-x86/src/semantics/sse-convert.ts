import { type Val, v128pair } from '@sterna/wasm';
import { enc } from '../decode/enc.ts';
import type { Shape } from '../fpu/simd.ts';
import { FROM_INT, FROM_INT_PACKED, mapLanes, NARROW, TO_INT, TO_INT_PACKED, WIDEN } from '../fpu/simd-convert.ts';
import { everyLane, type F, fromBits, isPlain, pair, somePlainless, unlikely, wideBits } from '../fpu/simd-fast.ts';
import { def } from './def.ts';
import { checkMmx, checkSimdExceptions, checkSse } from './fp-check.ts';
import type { Machine } from './machine.ts';
import { enterMmx, writeMmx } from './mmx-state.ts';
import { isMem, type Operand } from './operand.ts';

type I = Val<'i32'>;
type L = Val<'i64'>;
type V = Val<'v128'>;

const ZERO = v128pair(0n, 0n);

const lowOf = (m: Machine, v: L): V => m.replaceLane('i64x2', ZERO, 0, v);
/** Not 0 unless all lanes of the masks are set. */
const someClear = (m: Machine, shape: Shape, mask: V): I =>
  shape === 'f64x2' ? m.xor(m.simdTest('i64x2.bitmask', mask), 3) : m.xor(m.simdTest('i32x4.bitmask', mask), 15);
const both = (m: Machine, a: V, b: V): V => m.simd('v128.and', a, b);

/** Bits of doubles. */
const DOUBLE = { minSingle: 0x3810n << 48n, aboveSingle: 0x47e0n << 48n, maxInt: 0x41df_ffff_ffc0_0000n } as const;
/** Bits of 2^31 as a single. */
const SINGLE_LIMIT = 0x4f00_0000n;

/** Defines a packed conversion: the source, the hardware's result, when that is doubtful, and the exact way. */
function conversion(
  name: string,
  source: (m: Machine, src: Operand) => V,
  fast: (m: Machine, v: V) => V,
  doubtful: (m: Machine, v: V) => I,
  exact: (m: Machine, v: V) => V,
): void {
  def(name, (m, dst, src) => {
    checkSse(m);
    const v = source(m, src!);
    const r = m.local('v128');
    m.set(r, fast(m, v));
    unlikely(m, doubtful(m, v), () => m.set(r, exact(m, v)));
    m.writeVector(dst!, r);
  });
}
const low = (m: Machine, src: Operand): V => m.let(lowOf(m, m.read(src) as L));

// Packed

conversion(
  'cvtps2pd',
  low,
  (m, v) => m.simd('f64x2.promote_low_f32x4', v),
  (m, v) => somePlainless(m, 'f32x4', v, v),
  (m, v) => mapLanes(m, v, 'f32x4', 'f64x2', 2, (x) => m.invoke<'i64'>(WIDEN, x)),
);
enc('np 0f 5a /r', 'cvtps2pd', 'Vdq,Wq');
conversion(
  'cvtpd2ps',
  (m, op) => m.readAligned(op),
  (m, v) => m.simd('f32x4.demote_f64x2_zero', v),
  (m, v) => {
    // well inside the range of normal singles, or zero
    const size = m.let(m.simd('f64x2.abs', v));
    const above = m.simd('f64x2.ge', size, pair(m, DOUBLE.minSingle));
    const inside = both(m, above, m.simd('f64x2.lt', size, pair(m, DOUBLE.aboveSingle)));
    const fine = m.simd('v128.or', inside, m.simd('f64x2.eq', v, pair(m, 0n)));
    return m.or(someClear(m, 'f64x2', fine), m.mxcsrDoubt());
  },
  (m, v) => mapLanes(m, v, 'f64x2', 'f32x4', 2, (x) => m.invoke<'i64'>(NARROW, x)),
);
enc('66 0f 5a /r', 'cvtpd2ps', 'Vdq,Wdq');
conversion(
  'cvtdq2ps',
  (m, op) => m.readAligned(op),
  (m, v) => m.simd('f32x4.convert_i32x4_s', v),
  (m) => m.mxcsrDoubt(),
  (m, v) => m.invoke<'v128'>(FROM_INT_PACKED, v),
);
enc('np 0f 5b /r', 'cvtdq2ps', 'Vdq,Wdq');
def('cvtdq2pd', (m, dst, src) => {
  checkSse(m);
  m.writeVector(dst!, m.simd('f64x2.convert_low_i32x4_s', lowOf(m, m.read(src!) as L)));
});
enc('f3 0f e6 /r', 'cvtdq2pd', 'Vdq,Wq');
for (const [name, pattern, shape, chop] of [
  ['cvtps2dq', '66 0f 5b', 'f32x4', 0],
  ['cvttps2dq', 'f3 0f 5b', 'f32x4', 1],
  ['cvtpd2dq', 'f2 0f e6', 'f64x2', 0],
  ['cvttpd2dq', '66 0f e6', 'f64x2', 1],
] as const) {
  const single = shape === 'f32x4';
  conversion(
    name,
    (m, op) => m.readAligned(op),
    (m, v) => {
      const x = chop ? v : m.simd(`${shape}.nearest`, v);
      return m.simd(single ? 'i32x4.trunc_sat_f32x4_s' : 'i32x4.trunc_sat_f64x2_s_zero', x);
    },
    (m, v) => {
      // below 2^31, and doubles so that they do not round up to it
      const limit = everyLane(m, shape, single ? SINGLE_LIMIT : DOUBLE.maxInt);
      return m.or(someClear(m, shape, m.simd(`${shape}.lt`, m.simd(`${shape}.abs`, v), limit)), m.mxcsrDoubt());
    },
    (m, v) =>
      single
        ? m.invoke<'v128'>(TO_INT_PACKED, v, m.i32(chop))
        : mapLanes(m, v, shape, 'i32x4', 2, (x) => m.invoke<'i64'>(TO_INT[shape][32], x, m.i32(chop))),
  );
  enc(`${pattern} /r`, name, 'Vdq,Wdq');
}

// Scalar

def('cvtss2sd', (m, dst, src) => {
  checkSse(m);
  const x = m.readFloat(src!) as Val<'f32'>;
  const r = m.local('f64');
  m.set(r, m.promote(x));
  unlikely(m, m.eqz(isPlain(m, 'f32x4', x)), () => m.set(r, m.reinterpret(m.invoke<'i64'>(WIDEN, wideBits(m, x)))));
  m.writeFloat(dst!, r);
});
enc('f3 0f 5a /r', 'cvtss2sd', 'Vq,Wd');
def('cvtsd2ss', (m, dst, src) => {
  checkSse(m);
  const x = m.readFloat(src!) as Val<'f64'>;
  const r = m.local('f32');
  m.set(r, m.demote(x));
  const size = m.let(m.funary('abs', x));
  const inside = m.and(m.fge(size, m.f64(2 ** -126)), m.flt(size, m.f64(2 ** 127)));
  unlikely(m, m.or(m.eqz(m.or(inside, m.eq(x, m.f64(0)))), m.mxcsrDoubt()), () =>
    m.set(r, fromBits(m, 'f32x4', m.invoke<'i64'>(NARROW, wideBits(m, x))) as Val<'f32'>),
  );
  m.writeFloat(dst!, r);
});
enc('f2 0f 5a /r', 'cvtsd2ss', 'Vd,Wq');
for (const [prefix, suffix, shape, v, w] of [
  ['f3', 'ss', 'f32x4', 'Vd', 'Wd'],
  ['f2', 'sd', 'f64x2', 'Vq', 'Wq'],
] as const) {
  const format = shape === 'f32x4' ? 'f32' : 'f64';
  def(`cvtsi2${suffix}`, (m, dst, src) => {
    checkSse(m);
    const x = m.read(src!);
    if (shape === 'f64x2' && x.type === 'i32') {
      // every one is a double
      m.writeFloat(dst!, m.convert('f64', x));
      return;
    }
    const r = m.local(format);
    m.set(r as never, m.convert(format, x) as never);
    unlikely(m, m.mxcsrDoubt(), () => {
      const exact = m.invoke<'i64'>(FROM_INT[shape], x.type === 'i64' ? (x as L) : m.extS(x as I));
      m.set(r as never, fromBits(m, shape, exact) as never);
    });
    m.writeFloat(dst!, r as unknown as F);
  });
  enc(`${prefix} 0f 2a /r`, `cvtsi2${suffix}`, `${v},Ey`);
  for (const [opcode, name, chop] of [
    ['2c', `cvtt${suffix}2si`, 1],
    ['2d', `cvt${suffix}2si`, 0],
  ] as const) {
    def(name, (m, dst, src) => {
      checkSse(m);
      const x = m.readFloat(src!) as Val<'f64'>;
      const wide = dst!.bits === 64;
      // doubles of 32 bits must not round up to the limit
      const limit = wide ? 2 ** 63 : shape === 'f64x2' && !chop ? 2 ** 31 - 1 : 2 ** 31;
      const r = m.local(wide ? 'i64' : 'i32');
      m.set(r as never, m.truncSat(wide ? 'i64' : 'i32', chop ? x : m.funary('nearest', x)) as never);
      const bound = (shape === 'f64x2' ? m.f64(limit) : m.f32(limit)) as Val<'f64'>;
      unlikely(m, m.or(m.eqz(m.flt(m.funary('abs', x), bound)), m.mxcsrDoubt()), () => {
        const exact = m.invoke<'i64'>(TO_INT[shape][wide ? 64 : 32], wideBits(m, x), m.i32(chop));
        m.set(r as never, (wide ? exact : m.wrap(exact)) as never);
      });
      m.write(dst!, r);
    });
    enc(`${prefix} 0f ${opcode} /r`, name, `Gy,${w}`);
  }
}

// With MMX operands

def('cvtpi2ps', (m, dst, src) => {
  checkSse(m);
  checkMmx(m);
  const v = m.let(lowOf(m, m.read(src!) as L));
  const r = mapLanes(m, v, 'i32x4', 'f32x4', 2, (x) => m.invoke<'i64'>(FROM_INT.f32x4, x));
  // a memory source does not touch the MMX registers; a register enters MMX state even when #XM follows
  if (!isMem(src!)) enterMmx(m);
  checkSimdExceptions(m);
  m.write(dst!, m.extractLane('i64x2', r, 0));
});
enc('np 0f 2a /r', 'cvtpi2ps', 'Vq,Qq');
def('cvtpi2pd', (m, dst, src) => {
  checkSse(m);
  if (!isMem(src!)) checkMmx(m);
  const v = lowOf(m, m.read(src!) as L);
  if (!isMem(src!)) enterMmx(m);
  m.writeVector(dst!, m.simd('f64x2.convert_low_i32x4_s', v));
});
enc('66 0f 2a /r', 'cvtpi2pd', 'Vdq,Qq');
for (const [name, pattern, shape, chop] of [
  ['cvttps2pi', 'np 0f 2c', 'f32x4', 1],
  ['cvtps2pi', 'np 0f 2d', 'f32x4', 0],
  ['cvttpd2pi', '66 0f 2c', 'f64x2', 1],
  ['cvtpd2pi', '66 0f 2d', 'f64x2', 0],
] as const) {
  def(name, (m, dst, src) => {
    checkSse(m);
    checkMmx(m);
    const v = shape === 'f32x4' ? m.let(lowOf(m, m.read(src!) as L)) : m.readAligned(src!);
    const r = mapLanes(m, v, shape, 'i32x4', 2, (x) => m.invoke<'i64'>(TO_INT[shape][32], x, m.i32(chop)));
    // entered even when #XM follows
    enterMmx(m);
    checkSimdExceptions(m);
    writeMmx(m, dst!, m.let(m.extractLane('i64x2', r, 0)));
  });
  enc(`${pattern} /r`, name, shape === 'f32x4' ? 'Pq,Wq' : 'Pq,Wdq');
}

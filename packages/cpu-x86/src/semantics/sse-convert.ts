import { type Val, v128pair } from '@sterna/wasm';
import { enc } from '../decode/enc.ts';
import { FROM_INT, FROM_INT_PACKED, mapLanes, NARROW, TO_INT, TO_INT_PACKED, WIDEN } from '../fpu/simd-convert.ts';
import { def } from './def.ts';
import { checkMmx, checkSimdExceptions, checkSse, readAligned } from './fp-check.ts';
import type { Machine } from './machine.ts';
import { enterMmx, writeMmx } from './mmx-state.ts';
import { isMem, type Operand } from './operand.ts';

type I = Val<'i32'>;
type L = Val<'i64'>;
type V = Val<'v128'>;

const ZERO = v128pair(0n, 0n);

/** Defines a conversion whose result is written to the destination as it is. */
function conversion(name: string, compute: (m: Machine, src: Operand) => Val): void {
  def(name, (m, dst, src) => {
    checkSse(m);
    const r = m.let(compute(m, src!));
    checkSimdExceptions(m);
    if (r.type === 'v128') m.writeVector(dst!, r as V);
    else m.write(dst!, r as I);
  });
}

const lowOf = (m: Machine, v: L): V => m.replaceLane('i64x2', ZERO, 0, v);

// Packed

conversion('cvtps2pd', (m, src) => {
  const v = m.let(lowOf(m, m.read(src) as L));
  return mapLanes(m, v, 'f32x4', 'f64x2', 2, (x) => m.invoke<'i64'>(WIDEN, x));
});
enc('np 0f 5a /r', 'cvtps2pd', 'Vdq,Wq');
conversion('cvtpd2ps', (m, src) =>
  mapLanes(m, readAligned(m, src), 'f64x2', 'f32x4', 2, (x) => m.invoke<'i64'>(NARROW, x)),
);
enc('66 0f 5a /r', 'cvtpd2ps', 'Vdq,Wdq');
conversion('cvtdq2ps', (m, src) => m.invoke<'v128'>(FROM_INT_PACKED, readAligned(m, src)));
enc('np 0f 5b /r', 'cvtdq2ps', 'Vdq,Wdq');
conversion('cvtdq2pd', (m, src) => m.simd('f64x2.convert_low_i32x4_s', lowOf(m, m.read(src) as L)));
enc('f3 0f e6 /r', 'cvtdq2pd', 'Vdq,Wq');
for (const [name, pattern, shape, chop] of [
  ['cvtps2dq', '66 0f 5b', 'f32x4', 0],
  ['cvttps2dq', 'f3 0f 5b', 'f32x4', 1],
  ['cvtpd2dq', 'f2 0f e6', 'f64x2', 0],
  ['cvttpd2dq', '66 0f e6', 'f64x2', 1],
] as const) {
  conversion(name, (m, src) =>
    shape === 'f32x4'
      ? m.invoke<'v128'>(TO_INT_PACKED, readAligned(m, src), m.i32(chop))
      : mapLanes(m, readAligned(m, src), shape, 'i32x4', 2, (x) => m.invoke<'i64'>(TO_INT[shape][32], x, m.i32(chop))),
  );
  enc(`${pattern} /r`, name, 'Vdq,Wdq');
}

// Scalar

conversion('cvtss2sd', (m, src) => m.invoke<'i64'>(WIDEN, m.extU(m.read(src) as I)));
enc('f3 0f 5a /r', 'cvtss2sd', 'Vq,Wd');
conversion('cvtsd2ss', (m, src) => m.wrap(m.invoke<'i64'>(NARROW, m.read(src) as L)));
enc('f2 0f 5a /r', 'cvtsd2ss', 'Vd,Wq');
for (const [prefix, suffix, shape, v, w] of [
  ['f3', 'ss', 'f32x4', 'Vd', 'Wd'],
  ['f2', 'sd', 'f64x2', 'Vq', 'Wq'],
] as const) {
  conversion(`cvtsi2${suffix}`, (m, src) => {
    const x = m.read(src);
    const r = m.invoke<'i64'>(FROM_INT[shape], x.type === 'i64' ? (x as L) : m.extS(x as I));
    return shape === 'f32x4' ? m.wrap(r) : r;
  });
  enc(`${prefix} 0f 2a /r`, `cvtsi2${suffix}`, `${v},Ey`);
  for (const [opcode, name, chop] of [
    ['2c', `cvtt${suffix}2si`, 1],
    ['2d', `cvt${suffix}2si`, 0],
  ] as const) {
    def(name, (m, dst, src) => {
      checkSse(m);
      const x = m.read(src!);
      const wide = dst!.bits === 64;
      const bits = shape === 'f32x4' ? m.extU(x as I) : (x as L);
      const r = m.let(m.invoke<'i64'>(TO_INT[shape][wide ? 64 : 32], bits, m.i32(chop)));
      checkSimdExceptions(m);
      m.write(dst!, wide ? r : m.wrap(r));
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
    const v = shape === 'f32x4' ? m.let(lowOf(m, m.read(src!) as L)) : readAligned(m, src!);
    const r = mapLanes(m, v, shape, 'i32x4', 2, (x) => m.invoke<'i64'>(TO_INT[shape][32], x, m.i32(chop)));
    // entered even when #XM follows
    enterMmx(m);
    checkSimdExceptions(m);
    writeMmx(m, dst!, m.let(m.extractLane('i64x2', r, 0)));
  });
  enc(`${pattern} /r`, name, shape === 'f32x4' ? 'Pq,Wq' : 'Pq,Wdq');
}

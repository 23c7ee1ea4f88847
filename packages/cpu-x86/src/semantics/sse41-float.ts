import { type Val, v128, v128pair } from '@sterna/wasm';
import { enc } from '../decode/enc.ts';
import type { Shape } from '../fpu/simd.ts';
import { mapLanes } from '../fpu/simd-convert.ts';
import { type F, fromBits, isPlain, packedArith, somePlainless, unlikely, wideBits } from '../fpu/simd-fast.ts';
import { ROUND, ROUNDINGS, RoundControl } from '../fpu/simd-round.ts';
import { def } from './def.ts';
import { checkSimdExceptions, checkSse } from './fp-check.ts';
import type { Machine } from './machine.ts';

type I = Val<'i32'>;
type V = Val<'v128'>;

const feature = 'sse4.1';

// Rounding to integers

/** Whether the hardware's rounding may be wrong: NaNs and denormals, a mode other than the given, or PE to be set. */
function roundDoubtful(m: Machine, control: I, plainless: I, inexact: I): I {
  const byMxcsr = control.lo & RoundControl.MXCSR ? m.ne(m.mxcsrDoubt(), 0) : m.i32(0);
  const silent = (control.lo & RoundControl.SILENT) !== 0;
  const reported = silent ? m.i32(0) : m.and(inexact, m.ne(m.mxcsrDoubt(), 0));
  return m.or(plainless, m.or(byMxcsr, reported));
}
/** Rounding mode of a known immediate; that of MXCSR is taken to be to nearest. */
const modeOf = (control: I): number => (control.lo & RoundControl.MXCSR ? 0 : control.lo & RoundControl.MODE);

for (const [opcode, name, shape, count] of [
  ['08', 'roundps', 'f32x4', 4],
  ['09', 'roundpd', 'f64x2', 2],
] as const) {
  def(name, (m, dst, src, imm) => {
    checkSse(m);
    const v = m.readAligned(src!);
    const control = m.let(m.read(imm!) as I);
    const exact = (): V => mapLanes(m, v, shape, shape, count, (x) => m.invoke<'i64'>(ROUND[shape], x, control));
    const r = m.local('v128');
    if (control.isConst) {
      m.set(r, m.simd(`${shape}.${ROUNDINGS[modeOf(control)]}`, v));
      const changed = m.simdTest('v128.any_true', m.simd(`${shape}.ne`, r, v));
      unlikely(m, roundDoubtful(m, control, somePlainless(m, shape, v, v), changed), () => m.set(r, exact()));
    } else {
      m.set(r, exact());
      checkSimdExceptions(m);
    }
    m.writeVector(dst!, r);
  });
  enc(`66 0f 3a ${opcode} /r`, name, 'Vdq,Wdq,Ib', { feature });
}
for (const [opcode, name, shape, size] of [
  ['0a', 'roundss', 'f32x4', 'd'],
  ['0b', 'roundsd', 'f64x2', 'q'],
] as const) {
  def(name, (m, dst, src, imm) => {
    checkSse(m);
    const x = m.readFloat(src!) as Val<'f64'>;
    const control = m.let(m.read(imm!) as I);
    const exact = (): F => fromBits(m, shape, m.invoke<'i64'>(ROUND[shape], wideBits(m, x), control));
    const r = m.local(shape === 'f64x2' ? 'f64' : 'f32');
    if (control.isConst) {
      m.set(r as never, m.funary(ROUNDINGS[modeOf(control)]!, x) as never);
      const changed = m.ne(r as unknown as Val<'i32'>, x as unknown as Val<'i32'>);
      unlikely(m, roundDoubtful(m, control, m.eqz(isPlain(m, shape, x)), changed), () =>
        m.set(r as never, exact() as never),
      );
    } else {
      m.set(r as never, exact() as never);
      checkSimdExceptions(m);
    }
    m.writeFloat(dst!, r as unknown as F);
  });
  enc(`66 0f 3a ${opcode} /r`, name, `V${size},W${size},Ib`, { feature });
}

// Dot products: lanes that the immediate leaves out count as zero and raise nothing

const LANE_BITS: Readonly<Record<Shape, V>> = {
  f32x4: v128([1, 2, 4, 8].flatMap((b) => [b, 0, 0, 0])),
  f64x2: v128pair(1n, 2n),
};
/** All ones in the lanes whose bits are set. */
function laneMask(m: Machine, shape: Shape, bits: I): V {
  const bit = LANE_BITS[shape];
  const ints = shape === 'f32x4' ? 'i32x4' : 'i64x2';
  const all = m.simd(`${ints}.splat`, shape === 'f32x4' ? bits : m.extU(bits));
  return m.let(m.simd(`${ints}.eq`, m.simd('v128.and', all, bit), bit));
}
/** The even lanes, each twice; the odd ones are `width` bytes further on. */
const evens = (width: number): number[] =>
  Array.from({ length: 16 }, (_, i) => Math.floor(i / (2 * width)) * 2 * width + (i % width));
for (const [opcode, name, shape] of [
  ['40', 'dpps', 'f32x4'],
  ['41', 'dppd', 'f64x2'],
] as const) {
  def(name, (m, dst, src, imm) => {
    checkSse(m);
    const b = m.readAligned(src!);
    const a = m.readVector(dst!);
    const control = m.let(m.read(imm!) as I);
    const used = laneMask(m, shape, m.let(m.shrU(control, 4)));
    const kept = (v: V): V => m.let(m.simd('v128.and', v, used));
    // each step is an operation of its own: an unmasked exception of one keeps the next from being made
    const products = packedArith(m, shape, 'mul', kept(a), kept(b));
    const pairUp = (v: V, width: number): V => {
      const even = evens(width);
      const odd = even.map((x) => x + width);
      return packedArith(m, shape, 'add', m.let(m.shuffle(v, v, even)), m.let(m.shuffle(v, v, odd)));
    };
    // every lane holds (0 + 1) + (2 + 3), so that NaNs are chosen alike
    const sum = shape === 'f64x2' ? pairUp(products, 8) : pairUp(pairUp(products, 4), 8);
    m.writeVector(dst!, m.simd('v128.and', sum, laneMask(m, shape, control)));
  });
  enc(`66 0f 3a ${opcode} /r`, name, 'Vdq,Wdq,Ib', { feature });
}

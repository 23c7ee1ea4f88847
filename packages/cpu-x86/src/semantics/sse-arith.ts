import { type Val, v128 } from '@sterna/wasm';
import { enc } from '../decode/enc.ts';
import type { Arith } from '../fpu/simd.ts';
import { addSub, packedArith, packedSqrt, scalarArith, scalarSqrt } from '../fpu/simd-fast.ts';
import { def } from './def.ts';
import { checkSse } from './fp-check.ts';
import type { Machine } from './machine.ts';

type V = Val<'v128'>;

/** The four forms of an SSE operation: prefix, suffix, lane shape, whether scalar, operand letters. */
const FORMS = [
  ['np', 'ps', 'f32x4', false, 'Vdq,Wdq'],
  ['66', 'pd', 'f64x2', false, 'Vdq,Wdq'],
  ['f3', 'ss', 'f32x4', true, 'Vd,Wd'],
  ['f2', 'sd', 'f64x2', true, 'Vq,Wq'],
] as const;

const hex = (n: number): string => n.toString(16).padStart(2, '0');
for (const [opcode, op] of [
  [0x58, 'add'],
  [0x59, 'mul'],
  [0x5c, 'sub'],
  [0x5d, 'min'],
  [0x5e, 'div'],
  [0x5f, 'max'],
] as readonly (readonly [number, Arith])[]) {
  for (const [prefix, suffix, shape, scalar, letters] of FORMS) {
    def(`${op}${suffix}`, (m, dst, src) => {
      checkSse(m);
      if (scalar) {
        const b = m.readFloat(src!);
        m.writeFloat(dst!, scalarArith(m, shape, op, m.readFloat(dst!), b));
      } else {
        const b = m.readAligned(src!);
        m.writeVector(dst!, packedArith(m, shape, op, m.readVector(dst!), b));
      }
    });
    enc(`${prefix} 0f ${hex(opcode)} /r`, `${op}${suffix}`, letters);
  }
}
for (const [prefix, suffix, shape, scalar, letters] of FORMS) {
  def(`sqrt${suffix}`, (m, dst, src) => {
    checkSse(m);
    if (scalar) m.writeFloat(dst!, scalarSqrt(m, shape, m.readFloat(src!)));
    else m.writeVector(dst!, packedSqrt(m, shape, m.readAligned(src!)));
  });
  enc(`${prefix} 0f 51 /r`, `sqrt${suffix}`, letters);
}

// Bitwise

for (const [opcode, name, op] of [
  [0x54, 'and', 'v128.and'],
  [0x55, 'andn', 'v128.andnot'],
  [0x56, 'or', 'v128.or'],
  [0x57, 'xor', 'v128.xor'],
] as const) {
  def(`${name}ps`, (m, dst, src) => {
    checkSse(m);
    const b = m.readAligned(src!);
    const a = m.readVector(dst!);
    m.writeVector(dst!, name === 'andn' ? m.simd(op, b, a) : m.simd(op, a, b));
  });
  for (const p of ['np', '66']) enc(`${p} 0f ${hex(opcode)} /r`, `${name}ps`, 'Vdq,Wdq');
}
for (const [prefix, suffix, shape] of [
  ['np', 'ps', 'i32x4'],
  ['66', 'pd', 'i64x2'],
] as const) {
  def(`movmsk${suffix}`, (m, dst, src) => {
    checkSse(m);
    m.write(dst!, m.simdTest(`${shape}.bitmask`, m.readVector(src!)));
  });
  enc(`${prefix} 0f 50 /r reg`, `movmsk${suffix}`, 'Gd,Udq');
}

// Approximations. They raise nothing; denormal sources count as zero and tiny results become zero, whatever MXCSR says.
// They are computed exactly, so that every host gives the same result (within the architecture's 1.5 * 2^-12).

const EXPONENT = 0x7f80_0000;
/** Denormal lanes as zeros of their sign. */
function flushed(m: Machine, x: V): V {
  const splat = (v: number): V => m.simd('i32x4.splat', m.i32(v));
  const isTiny = m.simd('i32x4.eq', m.simd('v128.and', x, splat(EXPONENT)), splat(0));
  const sign = m.simd('v128.and', x, splat(0x8000_0000 | 0));
  return m.let(m.simd('v128.bitselect', sign, x, isTiny));
}
/** Lanes of `r`, but NaN sources made quiet, and other NaN results the default one. */
function nansOf(m: Machine, x: V, r: V): V {
  const splat = (v: number): V => m.simd('i32x4.splat', m.i32(v));
  const quiet = m.simd('v128.or', x, splat(0x0040_0000));
  const defaults = m.simd('v128.bitselect', r, splat(0xffc0_0000 | 0), m.simd('f32x4.eq', r, r));
  return m.simd('v128.bitselect', defaults, quiet, m.simd('f32x4.eq', x, x));
}
const ONE: V = v128([0, 0, 0x80, 0x3f, 0, 0, 0x80, 0x3f, 0, 0, 0x80, 0x3f, 0, 0, 0x80, 0x3f]);
for (const [opcode, name] of [
  [0x52, 'rsqrt'],
  [0x53, 'rcp'],
] as const) {
  const compute = (m: Machine, x: V): V => {
    const a = flushed(m, x);
    const d = name === 'rcp' ? a : m.simd('f32x4.sqrt', a);
    const r = flushed(m, m.let(m.simd('f32x4.div', ONE, d)));
    return nansOf(m, x, r);
  };
  def(`${name}ps`, (m, dst, src) => {
    checkSse(m);
    m.writeVector(dst!, compute(m, m.readAligned(src!)));
  });
  enc(`np 0f ${hex(opcode)} /r`, `${name}ps`, 'Vdq,Wdq');
  def(`${name}ss`, (m, dst, src) => {
    checkSse(m);
    const x = m.let(m.simd('i32x4.splat', m.read(src!)));
    m.write(dst!, m.let(m.extractLane('i32x4', compute(m, x), 0)));
  });
  enc(`f3 0f ${hex(opcode)} /r`, `${name}ss`, 'Vd,Wd');
}

// SSE3 horizontal and alternating arithmetic

const EVEN32 = [0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27];
const ODD32 = EVEN32.map((x) => x + 4);
const EVEN64 = [0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23];
const ODD64 = EVEN64.map((x) => x + 8);
for (const [prefix, suffix, shape, even, odd] of [
  ['f2', 'ps', 'f32x4', EVEN32, ODD32],
  ['66', 'pd', 'f64x2', EVEN64, ODD64],
] as const) {
  for (const [opcode, op] of [
    [0x7c, 'add'],
    [0x7d, 'sub'],
  ] as const) {
    def(`h${op}${suffix}`, (m, dst, src) => {
      checkSse(m);
      const b = m.readAligned(src!);
      const a = m.readVector(dst!);
      const [x, y] = [m.let(m.shuffle(a, b, even)), m.let(m.shuffle(a, b, odd))];
      m.writeVector(dst!, packedArith(m, shape, op, x, y));
    });
    enc(`${prefix} 0f ${hex(opcode)} /r`, `h${op}${suffix}`, 'Vdq,Wdq');
  }
  def(`addsub${suffix}`, (m, dst, src) => {
    checkSse(m);
    const b = m.readAligned(src!);
    m.writeVector(dst!, addSub(m, shape, m.readVector(dst!), b));
  });
  enc(`${prefix} 0f d0 /r`, `addsub${suffix}`, 'Vdq,Wdq');
}

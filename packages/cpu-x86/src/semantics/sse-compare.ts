import type { Val } from '@sterna/wasm';
import { enc } from '../decode/enc.ts';
import { PACKED_COMPARE, SCALAR_COMPARE, type Shape, softOf } from '../fpu/simd.ts';
import { type F, isPlain, somePlainless, unlikely, wideBits } from '../fpu/simd-fast.ts';
import { Relation } from '../fpu/small.ts';
import { def } from './def.ts';
import { checkSse } from './fp-check.ts';
import type { Machine } from './machine.ts';
import { Flag } from './vectors.ts';

type I = Val<'i32'>;
type V = Val<'v128'>;

// Neither a NaN nor denormal: then a comparison raises nothing, whatever MXCSR says

/** Predicates 0-7 of ordered numbers as wasm operations; false and true for those that ask for NaNs. */
const ORDERED = ['eq', 'lt', 'le', false, 'ne', 'ge', 'gt', true] as const;

/** Runs the code of the predicate in an immediate: chosen now when it is known, else at run time. */
function byPredicate(m: Machine, predicate: I, write: (op: (typeof ORDERED)[number]) => void): void {
  if (predicate.isConst) write(ORDERED[predicate.lo & 7]!);
  else
    m.switch(
      predicate,
      ORDERED.map((op) => (): void => write(op)),
    );
}

const FCMP = { eq: 0, ne: 1, lt: 2, gt: 3, le: 4, ge: 5 } as const;

for (const [prefix, suffix, shape, scalar, letters] of [
  ['np', 'ps', 'f32x4', false, 'Vdq,Wdq'],
  ['66', 'pd', 'f64x2', false, 'Vdq,Wdq'],
  ['f3', 'ss', 'f32x4', true, 'Vd,Wd'],
  ['f2', 'sd', 'f64x2', true, 'Vq,Wq'],
] as const) {
  def(`cmp${suffix}`, (m, dst, src, imm) => {
    checkSse(m);
    if (scalar) {
      const b = m.readFloat(src!);
      const a = m.readFloat(dst!);
      const predicate = m.let(m.and(m.read(imm!) as I, 7));
      const r = m.local('i64');
      byPredicate(m, predicate, (op) => {
        const hit = typeof op === 'boolean' ? m.i32(op ? 1 : 0) : m.fcmp(FCMP[op], a as Val<'f64'>, b as Val<'f64'>);
        m.set(r, m.neg(m.extU(hit)));
      });
      unlikely(m, m.eqz(m.and(isPlain(m, shape, a), isPlain(m, shape, b))), () =>
        m.set(r, m.invoke<'i64'>(SCALAR_COMPARE[shape], wideBits(m, a), wideBits(m, b), predicate)),
      );
      m.write(dst!, shape === 'f64x2' ? r : m.wrap(r));
    } else {
      const b = m.readAligned(src!);
      const a = m.readVector(dst!);
      const predicate = m.let(m.and(m.read(imm!) as I, 7));
      const r = m.local('v128');
      byPredicate(m, predicate, (op) =>
        m.set(r, typeof op === 'boolean' ? m.simd('i64x2.splat', m.i64(op ? -1 : 0)) : m.simd(`${shape}.${op}`, a, b)),
      );
      unlikely(m, somePlainless(m, shape, a, b), () =>
        m.set(r, m.invoke<'v128'>(PACKED_COMPARE[shape], a, b, predicate)),
      );
      m.writeVector(dst!, r as V);
    }
  });
  enc(`${prefix} 0f c2 /r`, `cmp${suffix}`, `${letters},Ib`);
}

/** Flags of a relation: less: CF; equal: ZF; unordered: both and PF. */
function relationFlags(m: Machine, r: I): I {
  const flags = m.or(m.and(r, Flag.CF), m.shl(m.and(r, Relation.EQUAL), 5));
  return m.select(m.eq(r, Relation.UNORDERED), m.i32(Flag.ZF | Flag.PF | Flag.CF), flags);
}

for (const [opcode, name, signaling] of [
  ['2e', 'ucomis', 0],
  ['2f', 'comis', 1],
] as const) {
  for (const [prefix, suffix, shape, letters] of [
    ['np', 's', 'f32x4', 'Vd,Wd'],
    ['66', 'd', 'f64x2', 'Vq,Wq'],
  ] as readonly (readonly [string, string, Shape, string])[]) {
    def(`${name}${suffix}`, (m, dst, src) => {
      checkSse(m);
      const b: F = m.readFloat(src!);
      const a: F = m.readFloat(dst!);
      const [x, y] = [a as Val<'f64'>, b as Val<'f64'>];
      const flags = m.local('i32');
      m.set(flags, m.or(m.flt(x, y), m.shl(m.eq(x, y), 6)));
      unlikely(m, m.eqz(m.and(isPlain(m, shape, a), isPlain(m, shape, b))), () => {
        const r = m.let(m.invoke<'i32'>(softOf(shape).relation, wideBits(m, a), wideBits(m, b), m.i32(signaling)));
        m.set(flags, relationFlags(m, r));
      });
      m.setArithFlags(flags);
    });
    enc(`${prefix} 0f ${opcode} /r`, `${name}${suffix}`, letters);
  }
}

import { type Val, v128pair } from '@sterna/wasm';
import type { Machine } from '../semantics/machine.ts';
import { type Micro, micro } from '../semantics/micro.ts';
import { F32, F64, type SmallFormat } from './round.ts';
import type { Arith, Shape } from './shapes.ts';
import { returnExact } from './simd-exact.ts';
import { type SmallFunctions, SOFT32, SOFT64 } from './small.ts';

type I = Val<'i32'>;
type L = Val<'i64'>;
type V = Val<'v128'>;

export type { Arith, Shape } from './shapes.ts';

/** Format of a shape's lanes. */
export const formatOf = (shape: Shape): SmallFormat => (shape === 'f32x4' ? F32 : F64);
/** Exact functions of a shape's lanes. */
export const softOf = (shape: Shape): SmallFunctions => (shape === 'f32x4' ? SOFT32 : SOFT64);

/** The same lane value in a whole vector. */
export function splat(shape: Shape, bits: bigint): V {
  const pair = shape === 'f32x4' ? bits | (bits << 32n) : bits;
  return v128pair(pair, pair);
}
const MIN_NORMAL: Record<Shape, bigint> = { f32x4: 0x0080_0000n, f64x2: 1n << 52n };
const MAX_FINITE: Record<Shape, bigint> = { f32x4: 0x7f7f_ffffn, f64x2: 0x7fef_ffff_ffff_ffffn };
const LANES: Record<Shape, number> = { f32x4: 4, f64x2: 2 };

/**
 * Whether the hardware's result can be right: rounding to nearest, everything masked, no DAZ or FTZ, and PE already set, so
 * that an inexact result changes nothing.
 */
export function simple(m: Machine): I {
  return m.eq(m.and(m.get('mxcsr'), 0xffe0), 0x1fa0);
}

/** A lane's bits, zero-extended. */
export function lane(m: Machine, shape: Shape, v: V, i: number): L {
  return shape === 'f64x2' ? m.extractLane('i64x2', v, i) : m.extU(m.extractLane('i32x4', v, i));
}

/** The vector with a lane's bits replaced. */
export function withLane(m: Machine, shape: Shape, v: V, i: number, bits: L): V {
  return shape === 'f64x2' ? m.replaceLane('i64x2', v, i, bits) : m.replaceLane('i32x4', v, i, m.wrap(bits));
}

/** Mask of lanes that are denormal. */
function denormal(m: Machine, shape: Shape, x: V): V {
  const abs = m.let(m.simd(`${shape}.abs`, x));
  const zero = m.simd(`${shape}.ne`, abs, splat(shape, 0n));
  return m.simd('v128.and', m.simd(`${shape}.lt`, abs, splat(shape, MIN_NORMAL[shape])), zero);
}

/** Mask of lanes that are normal and not the smallest normal number, which a tiny result may have been rounded to. */
function normal(m: Machine, shape: Shape, x: V): V {
  const abs = m.let(m.simd(`${shape}.abs`, x));
  const above = m.simd(`${shape}.gt`, abs, splat(shape, MIN_NORMAL[shape]));
  return m.simd('v128.and', above, m.simd(`${shape}.le`, abs, splat(shape, MAX_FINITE[shape])));
}

const or = (m: Machine, a: V, b: V): V => m.simd('v128.or', a, b);
const and = (m: Machine, a: V, b: V): V => m.simd('v128.and', a, b);
const zeros = (m: Machine, shape: Shape, x: V): V => m.simd(`${shape}.eq`, x, splat(shape, 0n));

/** Exact result of one lane. */
function exactLane(m: Machine, soft: SmallFunctions, op: Arith, a: L, b: L): L {
  switch (op) {
    case 'add':
    case 'sub':
      return m.invoke<'i64'>(soft.add, a, b, m.i32(op === 'sub' ? 1 : 0));
    case 'mul':
    case 'div':
      return m.invoke<'i64'>(soft[op], a, b);
    default:
      return m.invoke<'i64'>(soft.minmax, a, b, m.i32(op === 'max' ? 1 : 0));
  }
}

/** Condition under which the hardware's packed result `r` is exact in value and flags. */
function exactPacked(m: Machine, shape: Shape, op: Arith, a: V, b: V, r: V): I {
  const tiny = or(m, denormal(m, shape, a), denormal(m, shape, b));
  if (op === 'min' || op === 'max') {
    const nan = or(m, m.simd(`${shape}.ne`, a, a), m.simd(`${shape}.ne`, b, b));
    return m.and(m.eqz(m.and(m.get('mxcsr'), 0x40)), m.eqz(m.simdTest('v128.any_true', or(m, tiny, nan))));
  }
  let fine = normal(m, shape, r);
  if (op === 'add' || op === 'sub') fine = or(m, fine, zeros(m, shape, r));
  if (op === 'mul') fine = or(m, fine, or(m, zeros(m, shape, a), zeros(m, shape, b)));
  if (op === 'div') fine = or(m, fine, and(m, zeros(m, shape, a), normal(m, shape, b)));
  // a zero times infinity or a NaN is in `fine` by its zero: the result must be a number too
  const number = m.simd(`${shape}.eq`, r, r);
  const bad = m.simd('v128.not', and(m, fine, number));
  return m.and(simple(m), m.eqz(m.simdTest('v128.any_true', or(m, tiny, bad))));
}

function packed(shape: Shape, op: Arith): Micro {
  return micro(`simd_${op}_${shape}`, ['v128', 'v128'], ['v128'], (m) => {
    const [a, b] = [m.param('v128', 0), m.param('v128', 1)];
    // wasm's pmin and pmax choose the first operand on ties and NaNs, x86 the second
    const r = m.let(op === 'min' || op === 'max' ? m.simd(`${shape}.p${op}`, b, a) : m.simd(`${shape}.${op}`, a, b));
    m.if(exactPacked(m, shape, op, a, b, r), () => m.return(r), undefined, true);
    const out = m.local('v128');
    m.set(out, a);
    for (let i = 0; i < LANES[shape]; i++) {
      const v = m.let(exactLane(m, softOf(shape), op, lane(m, shape, a, i), lane(m, shape, b, i)));
      m.set(out, withLane(m, shape, out, i, v));
    }
    m.return(out);
  });
}

function packedSqrt(shape: Shape): Micro {
  return micro(`simd_sqrt_${shape}`, ['v128'], ['v128'], (m) => {
    const a = m.param('v128', 0);
    const r = m.let(m.simd(`${shape}.sqrt`, a));
    const fine = m.let(or(m, and(m, normal(m, shape, a), normal(m, shape, r)), zeros(m, shape, a)));
    m.if(
      m.and(simple(m), m.eqz(m.simdTest('v128.any_true', m.simd('v128.not', fine)))),
      () => m.return(r),
      undefined,
      true,
    );
    const out = m.local('v128');
    m.set(out, a);
    for (let i = 0; i < LANES[shape]; i++) {
      const v = m.let(m.invoke<'i64'>(softOf(shape).sqrt, lane(m, shape, a, i)));
      m.set(out, withLane(m, shape, out, i, v));
    }
    m.return(out);
  });
}

function scalar(shape: Shape, op: Arith): Micro {
  const type = shape === 'f32x4' ? 'i32' : 'i64';
  return micro(`scalar_${op}_${shape}`, [type, type], [type], (m) => {
    const a = m.param(type, 0) as I;
    const b = m.param(type, 1) as I;
    const fa = m.let(m.reinterpret(a)) as Val<'f32'>;
    const fb = m.let(m.reinterpret(b)) as Val<'f32'>;
    const exact = scalarExact(m, shape, op, fa, fb);
    m.if(exact.when, () => m.return(m.reinterpret(exact.value)), undefined, true);
    returnExact(m, shape, op, fa as unknown as Val<'f64'>, fb as unknown as Val<'f64'>);
    const soft = (x: Val): L => (type === 'i32' ? m.extU(x as I) : (x as L));
    const r = exactLane(m, softOf(shape), op, soft(a), soft(b));
    m.return(type === 'i32' ? m.wrap(r) : r);
  });
}

function scalarExact(
  m: Machine,
  shape: Shape,
  op: Arith,
  a: Val<'f32'>,
  b: Val<'f32'>,
): { when: I; value: Val<'f32'> } {
  const single = shape === 'f32x4';
  const constant = (x: number): Val<'f32'> => (single ? m.f32(x) : (m.f64(x) as unknown as Val<'f32'>));
  const minNormal = constant(single ? 2 ** -126 : 2 ** -1022);
  const infinity = constant(Number.POSITIVE_INFINITY);
  const abs = (x: Val<'f32'>): Val<'f32'> => m.let(m.funary('abs', x));
  const zero = (x: Val<'f32'>): I => m.eq(x, constant(0));
  const sound = (x: Val<'f32'>): I => m.or(m.fge(abs(x), minNormal), zero(x));
  const sources = m.and(sound(a), sound(b));
  if (op === 'min' || op === 'max') {
    // both are numbers and not denormal here, so only ties need care: they give b
    const value = m.select(op === 'min' ? m.flt(a, b) : m.fgt(a, b), a, b);
    return { when: m.and(m.eqz(m.and(m.get('mxcsr'), 0x40)), sources), value };
  }
  const value = m.let(
    op === 'add' ? m.add(a, b) : op === 'sub' ? m.sub(a, b) : op === 'mul' ? m.mul(a, b) : m.fdiv(a, b),
  );
  const size = abs(value);
  let fine = m.and(m.fgt(size, minNormal), m.flt(size, infinity));
  if (op === 'add' || op === 'sub') fine = m.or(fine, zero(value));
  if (op === 'mul') fine = m.or(fine, m.and(zero(value), m.or(zero(a), zero(b))));
  if (op === 'div') fine = m.or(fine, m.and(zero(value), zero(a)));
  return { when: m.and(m.and(simple(m), sources), fine), value };
}

function scalarSqrt(shape: Shape): Micro {
  const type = shape === 'f32x4' ? 'i32' : 'i64';
  return micro(`scalar_sqrt_${shape}`, [type], [type], (m) => {
    const a = m.param(type, 0) as I;
    const fa = m.let(m.reinterpret(a)) as Val<'f32'>;
    const single = shape === 'f32x4';
    const minNormal = single ? m.f32(2 ** -126) : (m.f64(2 ** -1022) as unknown as Val<'f32'>);
    const infinity = single
      ? m.f32(Number.POSITIVE_INFINITY)
      : (m.f64(Number.POSITIVE_INFINITY) as unknown as Val<'f32'>);
    const inside = m.and(m.fge(fa, minNormal), m.flt(fa, infinity));
    m.if(m.and(simple(m), inside), () => m.return(m.reinterpret(m.funary('sqrt', fa))), undefined, true);
    const r = m.invoke<'i64'>(softOf(shape).sqrt, type === 'i32' ? m.extU(a) : (a as unknown as L));
    m.return(type === 'i32' ? m.wrap(r) : r);
  });
}

type Table<K extends string> = Readonly<Record<K, Readonly<Record<Shape, Micro>>>>;
const ARITH = ['add', 'sub', 'mul', 'div', 'min', 'max'] as const;
const table = <K extends string>(names: readonly K[], make: (shape: Shape, op: K) => Micro): Table<K> =>
  Object.fromEntries(
    names.map((n) => [n, { f32x4: make('f32x4', n), f64x2: make('f64x2', n) }]),
  ) as unknown as Table<K>;

/** `(v128, v128) -> v128`: packed arithmetic. */
export const PACKED: Table<Arith> = table(ARITH, packed);
/** `(v128) -> v128`: packed square root. */
export const PACKED_SQRT: Table<'sqrt'> = table(['sqrt'], packedSqrt);
/** `(bits, bits) -> bits`: scalar arithmetic on an i32 or i64. */
export const SCALAR: Table<Arith> = table(ARITH, scalar);
/** `(bits) -> bits`: scalar square root. */
export const SCALAR_SQRT: Table<'sqrt'> = table(['sqrt'], scalarSqrt);

/** Relations (see small.ts) that make each comparison predicate true: EQ LT LE UNORD NEQ NLT NLE ORD. */
export const PREDICATES: readonly number[] = [2, 1, 3, 8, 13, 14, 12, 7];
/** Whether a predicate signals quiet NaNs. */
const signals = (m: Machine, predicate: I): I => m.and(m.xor(predicate, m.shrU(predicate, 1)), 1);

/** `(a, b, predicate) -> mask`: CMPPS and CMPPD; the predicate is 0-7. */
export const PACKED_COMPARE: Readonly<Record<Shape, Micro>> = {
  f32x4: packedCompare('f32x4'),
  f64x2: packedCompare('f64x2'),
};

function packedCompare(shape: Shape): Micro {
  return micro(`simd_cmp_${shape}`, ['v128', 'v128', 'i32'], ['v128'], (m) => {
    const [a, b, predicate] = [m.param('v128', 0), m.param('v128', 1), m.param('i32', 2)];
    const tiny = or(m, denormal(m, shape, a), denormal(m, shape, b));
    const nan = or(m, m.simd(`${shape}.ne`, a, a), m.simd(`${shape}.ne`, b, b));
    const fast = m.and(m.eqz(m.and(m.get('mxcsr'), 0x40)), m.eqz(m.simdTest('v128.any_true', or(m, tiny, nan))));
    const out = m.local('v128');
    m.if(fast, () => {
      const cmp = (name: string) => (): void => m.set(out, m.simd(`${shape}.${name}`, a, b));
      const all = (bits: bigint) => (): void => m.set(out, v128pair(bits, bits));
      m.switch(predicate, [cmp('eq'), cmp('lt'), cmp('le'), all(0n), cmp('ne'), cmp('ge'), cmp('gt'), all(-1n)]);
      m.return(out);
    });
    const table = m.let(predicateMask(m, predicate));
    const signaling = m.let(signals(m, predicate));
    for (let i = 0; i < LANES[shape]; i++) {
      const rel = m.invoke<'i32'>(softOf(shape).relation, lane(m, shape, a, i), lane(m, shape, b, i), signaling);
      const hit = m.extS(m.ne(m.and(rel, table), 0));
      m.set(out, withLane(m, shape, out, i, m.let(m.neg(hit))));
    }
    m.return(out);
  });
}

/** The predicate's set of relations: a nibble of a constant. */
function predicateMask(m: Machine, predicate: I): I {
  const nibbles = PREDICATES.reduce((acc, v, i) => acc | (v << (4 * i)), 0);
  return m.and(m.shrU(m.i32(nibbles), m.shl(predicate, 2)), 15);
}

/** `(a, b, predicate) -> -1 or 0`: CMPSS and CMPSD. */
export const SCALAR_COMPARE: Readonly<Record<Shape, Micro>> = {
  f32x4: scalarCompare('f32x4'),
  f64x2: scalarCompare('f64x2'),
};

function scalarCompare(shape: Shape): Micro {
  return micro(`scalar_cmp_${shape}`, ['i64', 'i64', 'i32'], ['i64'], (m) => {
    const predicate = m.param('i32', 2);
    const rel = m.invoke<'i32'>(softOf(shape).relation, m.param('i64', 0), m.param('i64', 1), signals(m, predicate));
    m.return(m.neg(m.extS(m.ne(m.and(rel, predicateMask(m, predicate)), 0))));
  });
}

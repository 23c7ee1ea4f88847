export { Code, type Hint, Label, type Local, type TypeTable } from './code.ts';
export { foldBinary, foldCompare, type IntBinary, type IntCompare } from './fold.ts';
export {
  LOADS,
  type LoadKind,
  SIMD_LOADS,
  type SimdLoadKind,
  STORES,
  type StoreKind,
  type TypeOfKind,
} from './memory-ops.ts';
export { type MemoryOptions, ModuleBuilder } from './module.ts';
export { type Arg, checkArgs, Ops, ops } from './ops.ts';
export { SIMD, type SimdOp } from './simd.ts';
export { type LaneShape, type LaneType, SimdOps } from './simd-ops.ts';
export {
  type FloatType,
  FUNCREF,
  type FuncRef,
  type IntType,
  type NumType,
  type Signature,
  TYPE_CODE,
  type ValType,
  VOID_BLOCK,
} from './types.ts';
export { emit, f32, f64, i32, i64, i64parts, Node, Val, v128, v128pair } from './val.ts';
export { Writer } from './writer.ts';

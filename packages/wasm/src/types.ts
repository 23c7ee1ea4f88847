/** Value types a WebAssembly local, parameter or operand can have. */
export type ValType = 'i32' | 'i64' | 'f32' | 'f64' | 'v128';
/** The two integer types. */
export type IntType = 'i32' | 'i64';
/** The two scalar floating-point types. */
export type FloatType = 'f32' | 'f64';
/** Types with arithmetic operators. */
export type NumType = IntType | FloatType;

/** Binary codes of the value types (core specification 5.3.1). */
export const TYPE_CODE: Readonly<Record<ValType, number>> = { i32: 0x7f, i64: 0x7e, f32: 0x7d, f64: 0x7c, v128: 0x7b };
/** Binary code of `funcref`, the only table element type used here. */
export const FUNCREF = 0x70;
/** Block type of a block without result. */
export const VOID_BLOCK = 0x40;

/** Parameter and result types of a function. */
export interface Signature {
  readonly params: readonly ValType[];
  readonly results: readonly ValType[];
}

/** A function known to a module: imported or defined. Its index is final once created. */
export interface FuncRef {
  readonly index: number;
  readonly name: string;
  readonly type: Signature;
}

/**
 * One field of a vmstate table after the builder has made it: plain data and
 * accessors, with the device's type erased. Authors never write these; the
 * bound builder (`builder.ts`) does, and the codec in `@sterna/migration`,
 * `-dump-vmstate` and the reference pages read them.
 */
import type { LoadStream, SaveStream } from './stream.ts';
import type { VmStateTable } from './table.ts';

/** Wire types of single values. `timer` is an i64 deadline in ns, -1 when the timer is not armed. */
export type VmScalarType = 'bool' | 'u8' | 'u16' | 'u32' | 'u64' | 'i8' | 'i16' | 'i32' | 'i64' | 'timer';

/** The JavaScript type that holds a scalar: `number` up to 32 bits, `bigint` for 64. */
export type VmScalarValue<T extends VmScalarType> = T extends 'bool'
  ? boolean
  : T extends 'u64' | 'i64' | 'timer'
    ? bigint
    : number;

/** Bytes of each scalar on the wire. */
export const VM_SCALAR_SIZE: Readonly<Record<VmScalarType, number>> = {
  bool: 1,
  u8: 1,
  u16: 2,
  u32: 4,
  u64: 8,
  i8: 1,
  i16: 2,
  i32: 4,
  i64: 8,
  timer: 8,
};

/** What all fields have. */
export interface VmFieldBase {
  /** Name in the vmdescription, before repeated names are numbered. */
  readonly name: string;
  /** First table version that has the field. */
  readonly since: number;
  /**
   * Decides alone whether the field is on the wire, whatever `since` says
   * (QEMU's `field_exists`). Both sides must come to the same answer.
   */
  readonly when?: (dev: object, version: number) => boolean;
}

/** Number of array elements: fixed, or read from the device when the field is reached. */
export type VmCount = number | ((dev: object) => number);

/** A number, truth value or deadline, or an array of them. */
export interface VmScalarField extends VmFieldBase {
  readonly kind: 'scalar';
  readonly type: VmScalarType;
  /** Absent for a single value. */
  readonly count?: VmCount;
  /** Most elements a variable count may announce. */
  readonly maxCount?: (dev: object) => number;
  /** The value must be equal on both sides; the string says what to change when it is not. */
  readonly equal?: string;
  readonly get: (dev: object, index: number) => number | bigint | boolean;
  readonly set: (dev: object, value: number | bigint | boolean, index: number) => void;
}

/** Raw bytes. */
export interface VmBufferField extends VmFieldBase {
  readonly kind: 'buffer';
  /** Bytes on the wire; absent when the whole array is sent. */
  readonly size?: VmCount;
  /** The array that is sent, or filled at load. */
  readonly bytes: (dev: object) => Uint8Array;
  /** Called after the bytes of a load are in place, for arrays that are copies. */
  readonly store?: (dev: object, bytes: Uint8Array) => void;
}

/** Bytes that mean nothing any more: zeros when saved, ignored when loaded. */
export interface VmUnusedField extends VmFieldBase {
  readonly kind: 'unused';
  readonly size: number;
}

/** A nested table, or an array of them. */
export interface VmStructField extends VmFieldBase {
  readonly kind: 'struct';
  readonly table: VmStateTable<object>;
  readonly count?: VmCount;
  readonly maxCount?: (dev: object) => number;
  readonly at: (dev: object, index: number) => object;
}

/** A nested table over the same object, described inline (QEMU's WITH_TMP). */
export interface VmTmpField extends VmFieldBase {
  readonly kind: 'tmp';
  readonly table: VmStateTable<object>;
}

/** Bytes only the device understands (a QEMU VMStateInfo with its own get and put). */
export interface VmCustomField extends VmFieldBase {
  readonly kind: 'custom';
  /** Type name in the vmdescription. */
  readonly type: string;
  readonly save: (dev: object, stream: SaveStream) => void;
  readonly load: (dev: object, stream: LoadStream, version: number) => void;
}

/** Any field. */
export type VmField = VmScalarField | VmBufferField | VmUnusedField | VmStructField | VmTmpField | VmCustomField;

import type { VmScalarField, VmScalarType } from '@sterna/core';
import type { StreamReader } from '../stream/reader.ts';
import type { StreamWriter } from '../stream/writer.ts';

/** Type names of scalars in the vmdescription (QEMU's VMStateInfo names). */
const TYPE_NAMES: Readonly<Record<VmScalarType, string>> = {
  bool: 'bool',
  u8: 'uint8',
  u16: 'uint16',
  u32: 'uint32',
  u64: 'uint64',
  i8: 'int8',
  i16: 'int16',
  i32: 'int32',
  i64: 'int64',
  timer: 'timer',
};

/** The vmdescription's type of a scalar field. QEMU names the checked u64 `int64 equal`. */
export function scalarTypeName(field: VmScalarField): string {
  const name = TYPE_NAMES[field.type];
  if (field.equal === undefined) return name;
  return field.type === 'u64' ? 'int64 equal' : `${name} equal`;
}

/** Writes one scalar. @throws RangeError when the device holds a value of the wrong JavaScript type. */
export function putScalar(writer: StreamWriter, type: VmScalarType, value: number | bigint | boolean): void {
  switch (type) {
    case 'bool':
      writer.u8(value ? 1 : 0);
      break;
    case 'u8':
    case 'i8':
      writer.u8(asNumber(type, value));
      break;
    case 'u16':
    case 'i16':
      writer.u16(asNumber(type, value));
      break;
    case 'u32':
    case 'i32':
      writer.u32(asNumber(type, value));
      break;
    case 'u64':
    case 'i64':
    case 'timer':
      if (typeof value !== 'bigint') throw new RangeError(`a ${type} is a bigint, not ${typeof value} ${value}`);
      writer.u64(value);
      break;
  }
}

function asNumber(type: VmScalarType, value: number | bigint | boolean): number {
  if (typeof value === 'number') return value;
  throw new RangeError(`a ${type} is a number, not ${typeof value} ${value}`);
}

/** Reads one scalar whose bytes are there. Any byte but 0 is a true bool, as on QEMU. */
export function getScalar(reader: StreamReader, type: VmScalarType): number | bigint | boolean {
  switch (type) {
    case 'bool':
      return reader.u8() !== 0;
    case 'u8':
      return reader.u8();
    case 'i8':
      return reader.i8();
    case 'u16':
      return reader.u16();
    case 'i16':
      return reader.i16();
    case 'u32':
      return reader.u32();
    case 'i32':
      return reader.i32();
    case 'u64':
      return reader.u64();
    case 'i64':
    case 'timer':
      return reader.i64();
  }
}

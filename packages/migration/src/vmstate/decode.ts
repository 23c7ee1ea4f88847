/**
 * Decoding and encoding of device state by the description that a stream
 * carries, with no table and no device: for inspection, and to prove that a
 * stream is understood to its last byte.
 */
import { StreamError } from '../errors.ts';
import { SECTION } from '../stream/constants.ts';
import type { ByteCursor, ByteSink } from '../stream/cursor.ts';
import type { FieldDescription, StructDescription } from './describe.ts';

/** A decoded value: an integer, a truth value, raw bytes, elements, or a struct. */
export type DecodedValue = bigint | boolean | Uint8Array | DecodedValue[] | DecodedStruct;

/** One decoded field. */
export interface DecodedField {
  readonly name: string;
  readonly type: string;
  /** Where it is in the decoded bytes. */
  readonly offset: number;
  /** Bytes of one element. */
  readonly size: number;
  readonly value: DecodedValue;
}

/** Decoded fields and subsections of one section or struct. */
export interface DecodedStruct {
  readonly name: string;
  readonly version: number;
  readonly fields: readonly DecodedField[];
  readonly subsections: readonly DecodedStruct[];
}

/**
 * Decodes one struct and leaves the cursor behind it.
 *
 * @throws StreamError when the bytes do not follow the description.
 */
export function decodeStruct(cursor: ByteCursor, description: StructDescription): DecodedStruct {
  const fields = description.fields.map((field): DecodedField => {
    const offset = cursor.offset;
    try {
      return { name: field.name, type: field.type, offset, size: field.size, value: decodeField(cursor, field) };
    } catch (error) {
      throw StreamError.at(error, { field: field.name, offset });
    }
  });
  const subsections = (description.subsections ?? []).map((subsection) => {
    const kind = cursor.u8();
    const name = kind === SECTION.subsection ? cursor.countedString() : '';
    const version = kind === SECTION.subsection ? cursor.u32() : 0;
    if (name !== subsection.vmsd_name || version !== subsection.version) {
      throw new StreamError(
        `found '${name}' version ${version}, described is '${subsection.vmsd_name}' version ${subsection.version}`,
        { offset: cursor.offset },
      );
    }
    return decodeStruct(cursor, subsection);
  });
  return { name: description.vmsd_name, version: description.version, fields, subsections };
}

function decodeField(cursor: ByteCursor, field: FieldDescription): DecodedValue {
  if (field.array_len === undefined) return decodeValue(cursor, field);
  if (field.array_len > cursor.left)
    throw new StreamError(`${field.array_len} elements, ${cursor.left} bytes are left`);
  return Array.from({ length: field.array_len }, () => decodeValue(cursor, field));
}

function decodeValue(cursor: ByteCursor, field: FieldDescription): DecodedValue {
  if (field.struct !== undefined) return decodeStruct(cursor, field.struct);
  if (field.fields !== undefined) {
    return decodeStruct(cursor, {
      vmsd_name: field.vmsd_name ?? '',
      version: field.version ?? 0,
      fields: field.fields,
    });
  }
  const bytes = cursor.bytes(field.size);
  const signed = field.type.startsWith('int') || field.type === 'timer';
  if ((signed || field.type.startsWith('uint')) && [1, 2, 4, 8].includes(field.size)) {
    const value = bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
    return signed ? BigInt.asIntN(field.size * 8, value) : value;
  }
  if (field.type === 'bool' && bytes[0]! <= 1) return bytes[0] === 1;
  return bytes;
}

/** Encodes what {@link decodeStruct} decoded. */
export function encodeStruct(sink: ByteSink, struct: DecodedStruct): void {
  for (const { value, size } of struct.fields) encodeValue(sink, value, size);
  for (const subsection of struct.subsections) {
    sink.u8(SECTION.subsection);
    sink.countedString(subsection.name);
    sink.u32(subsection.version);
    encodeStruct(sink, subsection);
  }
}

function encodeValue(sink: ByteSink, value: DecodedValue, size: number): void {
  if (typeof value === 'bigint') {
    const bits = BigInt.asUintN(size * 8, value);
    for (let i = size - 1; i >= 0; i--) sink.u8(Number((bits >> BigInt(8 * i)) & 0xffn));
  } else if (typeof value === 'boolean') sink.u8(value ? 1 : 0);
  else if (value instanceof Uint8Array) sink.bytes(value);
  else if (Array.isArray(value)) for (const element of value) encodeValue(sink, element, size);
  else encodeStruct(sink, value);
}

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

/** Most elements of one array: a description may say anything, also of elements without bytes. */
const MAX_ELEMENTS = 2 ** 20;

/** What decoding reads from. @see ByteCursor */
export type DecodeCursor = Pick<ByteCursor, 'offset' | 'left' | 'u8' | 'u32' | 'bytes' | 'countedString'>;

/** One decoded field. */
export interface DecodedField {
  readonly name: string;
  /** Element of an array whose elements differ. */
  readonly index?: number;
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
export function decodeStruct(cursor: DecodeCursor, description: StructDescription): DecodedStruct {
  const state = emptyStruct(description);
  decodeInto(cursor, description, state);
  return state;
}

/** A struct that is being decoded. */
export interface OpenStruct extends DecodedStruct {
  readonly fields: DecodedField[];
  readonly subsections: DecodedStruct[];
}

/** A struct of which nothing is decoded yet. */
export function emptyStruct({ vmsd_name: name, version }: StructDescription): OpenStruct {
  return { name, version, fields: [], subsections: [] };
}

/**
 * Decodes into a struct, which keeps what was decoded when the bytes end.
 *
 * @throws StreamError when the bytes do not follow the description.
 */
export function decodeInto(cursor: DecodeCursor, description: StructDescription, into: OpenStruct): void {
  for (const field of description.fields) {
    const { offset } = cursor;
    try {
      decodeField(cursor, field, (value) =>
        into.fields.push({
          name: field.name,
          ...(field.index === undefined ? {} : { index: field.index }),
          type: field.type,
          offset,
          size: field.size,
          value,
        }),
      );
    } catch (error) {
      throw StreamError.at(error, { field: field.name, offset });
    }
  }
  for (const subsection of description.subsections ?? []) {
    const kind = cursor.u8();
    const name = kind === SECTION.subsection ? cursor.countedString() : '';
    const version = kind === SECTION.subsection ? cursor.u32() : 0;
    if (name !== subsection.vmsd_name || version !== subsection.version) {
      throw new StreamError(
        `found '${name}' version ${version}, described is '${subsection.vmsd_name}' version ${subsection.version}`,
        { offset: cursor.offset },
      );
    }
    const inner = emptyStruct(subsection);
    into.subsections.push(inner);
    decodeInto(cursor, subsection, inner);
  }
}

/** @param keep is given a value before its parts are decoded, so that what was read is not lost with what is missing */
function decodeField(cursor: DecodeCursor, field: FieldDescription, keep: (value: DecodedValue) => void): void {
  if (field.array_len === undefined) {
    decodeValue(cursor, field, keep);
    return;
  }
  if (field.array_len > Math.min(cursor.left, MAX_ELEMENTS))
    throw new StreamError(`${field.array_len} elements, ${cursor.left} bytes are left`);
  const elements: DecodedValue[] = [];
  keep(elements);
  for (let i = 0; i < field.array_len; i++) decodeValue(cursor, field, (value) => elements.push(value));
}

function decodeValue(cursor: DecodeCursor, field: FieldDescription, keep: (value: DecodedValue) => void): void {
  const struct =
    field.struct ??
    (field.fields === undefined
      ? undefined
      : { vmsd_name: field.vmsd_name ?? '', version: field.version ?? 0, fields: field.fields });
  if (struct === undefined) {
    keep(decodeScalar(cursor.bytes(field.size), field));
    return;
  }
  const state = emptyStruct(struct);
  keep(state);
  decodeInto(cursor, struct, state);
}

function decodeScalar(bytes: Uint8Array, { type, size }: FieldDescription): DecodedValue {
  const signed = type.startsWith('int') || type === 'timer';
  if ((signed || type.startsWith('uint')) && [1, 2, 4, 8].includes(size)) {
    const value = bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
    return signed ? BigInt.asIntN(size * 8, value) : value;
  }
  if (type === 'bool' && bytes[0]! <= 1) return bytes[0] === 1;
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

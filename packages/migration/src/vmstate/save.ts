import { type ResolvedVmState, resolveVmState, VM_SCALAR_SIZE, type VmField, type VmStateTable } from '@sterna/core';
import { SECTION } from '../stream/constants.ts';
import type { StreamWriter } from '../stream/writer.ts';
import { type FieldDescription, type StructDescription, uniqueNames } from './describe.ts';
import { putScalar, scalarTypeName } from './wire-types.ts';

/**
 * Writes a device by its table, and describes what was written.
 *
 * @throws RangeError or the device's own error from `preSave` and accessors, with table and field in front.
 */
export function saveVmState<D extends object>(
  writer: StreamWriter,
  table: VmStateTable<D>,
  device: D,
): StructDescription {
  return saveBody(writer, resolveVmState(table), device);
}

/** Writes by a table that is resolved already. */
export function saveBody(writer: StreamWriter, state: ResolvedVmState, device: object): StructDescription {
  state.table.preSave?.(device);
  try {
    const fields = saveFields(writer, state, device);
    const subsections = saveSubsections(writer, state, device);
    return {
      vmsd_name: state.name,
      version: state.version,
      fields,
      ...(subsections.length === 0 ? {} : { subsections }),
    };
  } finally {
    state.table.postSave?.(device);
  }
}

/** Whether a field is on the wire of a given table version. */
export function fieldExists(field: VmField, device: object, version: number): boolean {
  return field.when === undefined ? field.since <= version : field.when(device, version);
}

function saveFields(writer: StreamWriter, state: ResolvedVmState, device: object): FieldDescription[] {
  const names = uniqueNames(state.fields);
  const described: FieldDescription[] = [];
  for (const [i, field] of state.fields.entries()) {
    if (!fieldExists(field, device, state.version)) continue;
    try {
      described.push(...saveField(writer, field, names[i]!, device));
    } catch (error) {
      throw new RangeError(`saving ${state.name}/${names[i]}: ${error instanceof Error ? error.message : error}`, {
        cause: error,
      });
    }
  }
  return described;
}

function saveSubsections(writer: StreamWriter, state: ResolvedVmState, device: object): StructDescription[] {
  const described: StructDescription[] = [];
  for (const subsection of state.subsections) {
    if (!subsection.needed(device)) continue;
    writer.u8(SECTION.subsection);
    writer.countedString(subsection.name);
    writer.u32(subsection.version);
    described.push(saveBody(writer, subsection, device));
  }
  return described;
}

function saveField(writer: StreamWriter, field: VmField, name: string, device: object): FieldDescription[] {
  const start = writer.transferred;
  const size = () => writer.transferred - start;
  switch (field.kind) {
    case 'scalar': {
      const type = scalarTypeName(field);
      const bytes = VM_SCALAR_SIZE[field.type];
      if (field.count === undefined) {
        putScalar(writer, field.type, field.get(device, 0));
        return [{ name, type, size: bytes }];
      }
      const count = countOf(field.count, device);
      for (let i = 0; i < count; i++) putScalar(writer, field.type, field.get(device, i));
      return elements(count, field.when === undefined, (place) => ({ name, ...place, type, size: bytes }));
    }
    case 'buffer': {
      const bytes = field.bytes(device);
      const length = field.size === undefined ? bytes.length : countOf(field.size, device);
      if (length > bytes.length) throw new RangeError(`${length} bytes of ${bytes.length}`);
      writer.bytes(bytes.subarray(0, length));
      return [{ name, type: 'buffer', size: length }];
    }
    case 'unused':
      writer.zeros(field.size);
      return [{ name, type: 'unused_buffer', size: field.size }];
    case 'struct':
      return saveStructs(writer, field, name, device);
    case 'tmp': {
      const body = saveBody(writer, resolveVmState(field.table), device);
      const { vmsd_name, version, fields } = body;
      return [{ name, type: 'tmp', vmsd_name, version, fields, size: size() }];
    }
    case 'custom':
      field.save(device, writer);
      return [{ name, type: field.type, size: size() }];
  }
}

function saveStructs(
  writer: StreamWriter,
  field: Extract<VmField, { kind: 'struct' }>,
  name: string,
  device: object,
): FieldDescription[] {
  const state = resolveVmState(field.table);
  const count = field.count === undefined ? 1 : countOf(field.count, device);
  const saved: { struct: StructDescription; size: number }[] = [];
  for (let i = 0; i < count; i++) {
    const start = writer.transferred;
    const struct = saveBody(writer, state, field.at(device, i));
    saved.push({ struct, size: writer.transferred - start });
  }
  const alike = field.when === undefined && sameShape(state);
  return elements(count, alike, (place, i) => {
    const { struct, size } = saved[i]!;
    return { name, ...place, type: 'struct', struct, size };
  });
}

/** Elements that are alike are described once; a single one is described like a value that is no array. */
function elements(
  count: number,
  alike: boolean,
  describe: (place: { array_len?: number; index?: number }, index: number) => FieldDescription,
): FieldDescription[] {
  if (count === 0) return [];
  if (count === 1) return [describe({}, 0)];
  if (alike) return [describe({ array_len: count }, 0)];
  return Array.from({ length: count }, (_, i) => describe({ index: i }, i));
}

/** True when every element of a struct array has the same bytes, so that one description serves all. */
function sameShape(state: ResolvedVmState): boolean {
  return (
    state.subsections.length === 0 &&
    state.fields.every((field) => {
      if (field.when !== undefined) return false;
      if (field.kind === 'struct' || field.kind === 'tmp') return sameShape(resolveVmState(field.table));
      return true;
    })
  );
}

/** The number of elements of an array field. @throws RangeError when it is not a count. */
export function countOf(count: number | ((dev: object) => number), device: object): number {
  const value = typeof count === 'number' ? count : count(device);
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`${value} elements`);
  return value;
}

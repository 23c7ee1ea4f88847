import { type ResolvedVmState, resolveVmState, VM_SCALAR_SIZE, type VmField, type VmStateTable } from '@sterna/core';
import { StreamError } from '../errors.ts';
import { SECTION } from '../stream/constants.ts';
import type { StreamReader } from '../stream/reader.ts';
import { uniqueNames } from './describe.ts';
import { countOf, fieldExists } from './save.ts';
import { getScalar } from './wire-types.ts';

/** Most elements that an array without a bound of its own may have. */
const MAX_ELEMENTS = 65536;

/**
 * Reads a device by its table.
 *
 * @param version version in the section's header.
 * @throws StreamError naming field, offset and both values.
 */
export function loadVmState<D extends object>(
  reader: StreamReader,
  table: VmStateTable<D>,
  device: D,
  version: number,
): Promise<void> {
  return loadBody(reader, resolveVmState(table), device, version, '');
}

/** Reads by a table that is resolved already. `path` is the field's place for messages. */
export async function loadBody(
  reader: StreamReader,
  state: ResolvedVmState,
  device: object,
  version: number,
  path: string,
): Promise<void> {
  if (version > state.version)
    throw misfit(reader, path, `${state.name} has version ${version}, newer than the local ${state.version}`);
  if (version < state.minimumVersion) {
    throw misfit(
      reader,
      path,
      `${state.name} has version ${version}, older than the oldest known here, ${state.minimumVersion}`,
    );
  }
  run(reader, path, () => state.table.preLoad?.(device));
  const names = uniqueNames(state.fields);
  for (const [i, field] of state.fields.entries()) {
    if (!fieldExists(field, device, version)) continue;
    await loadField(reader, field, path === '' ? names[i]! : `${path}.${names[i]}`, device, version);
  }
  await loadSubsections(reader, state, device, path);
  run(reader, path, () => state.table.postLoad?.(device, version));
}

/** Reads subsections as long as the next one is this table's own. */
async function loadSubsections(
  reader: StreamReader,
  state: ResolvedVmState,
  device: object,
  path: string,
): Promise<void> {
  while (await ownSubsectionFollows(reader, state.name)) {
    await reader.ensure(2 + reader.peekAt(1) + 4);
    reader.skip(1);
    const name = reader.countedString();
    const subsection = state.subsections.find((candidate) => candidate.name === name);
    if (subsection === undefined) throw misfit(reader, path, `subsection '${name}' is not known here`);
    const version = reader.u32();
    await loadBody(reader, subsection, device, version, path);
  }
}

/**
 * Whether the next bytes are a subsection whose name begins with the parent's (QEMU's rule); any other is left to
 * an outer table. Behind a nested struct the same bytes may just as well be the next field, so no more is looked at
 * than agrees so far: what follows may not have been sent yet.
 */
async function ownSubsectionFollows(reader: StreamReader, parent: string): Promise<boolean> {
  if (!(await reader.hasMore(1)) || reader.peekU8() !== SECTION.subsection) return false;
  if (!(await reader.hasMore(2)) || reader.peekAt(1) <= parent.length) return false;
  for (let i = 0; i < parent.length; i++) {
    if (!(await reader.hasMore(3 + i)) || reader.peekAt(2 + i) !== parent.charCodeAt(i)) return false;
  }
  return true;
}

async function loadField(
  reader: StreamReader,
  field: VmField,
  path: string,
  device: object,
  version: number,
): Promise<void> {
  switch (field.kind) {
    case 'scalar':
      return loadScalars(reader, field, path, device);
    case 'buffer': {
      const bytes = field.bytes(device);
      const length = field.size === undefined ? bytes.length : run(reader, path, () => countOf(field.size!, device));
      if (length > bytes.length) throw misfit(reader, path, `${length} bytes do not fit the local ${bytes.length}`);
      await reader.ensure(length).catch((error) => fail(error, path));
      const target = bytes.subarray(0, length);
      reader.bytesInto(target);
      run(reader, path, () => field.store?.(device, target));
      return;
    }
    case 'unused':
      await reader.ensure(field.size).catch((error) => fail(error, path));
      reader.skip(field.size);
      return;
    case 'struct': {
      const state = resolveVmState(field.table);
      const count = field.count === undefined ? 1 : elementCount(reader, field, path, device);
      for (let i = 0; i < count; i++) {
        const element = run(reader, path, () => field.at(device, i));
        await loadBody(reader, state, element, state.version, field.count === undefined ? path : `${path}[${i}]`);
      }
      return;
    }
    case 'tmp': {
      const state = resolveVmState(field.table);
      return loadBody(reader, state, device, state.version, path);
    }
    case 'custom':
      try {
        await reader.restartable(() => field.load(device, reader, version));
      } catch (error) {
        throw StreamError.at(error, { field: path, offset: reader.offset });
      }
  }
}

async function loadScalars(
  reader: StreamReader,
  field: Extract<VmField, { kind: 'scalar' }>,
  path: string,
  device: object,
): Promise<void> {
  const size = VM_SCALAR_SIZE[field.type];
  const count = field.count === undefined ? 1 : elementCount(reader, field, path, device);
  for (let i = 0; i < count; i++) {
    if (reader.available < size) await reader.ensure(size).catch((error) => fail(error, path));
    const value = getScalar(reader, field.type);
    const place = field.count === undefined ? path : `${path}[${i}]`;
    if (field.equal !== undefined) {
      const local = field.get(device, i);
      if (local === value) continue;
      throw misfit(reader, place, `the stream has ${value}, this machine ${local}: ${field.equal}`, size);
    }
    run(reader, place, () => field.set(device, value, i), size);
  }
}

/** Number of elements announced by an earlier field, checked before anything is read or made. */
function elementCount(
  reader: StreamReader,
  field: Extract<VmField, { kind: 'scalar' | 'struct' }>,
  path: string,
  device: object,
): number {
  const count = run(reader, path, () => countOf(field.count!, device));
  if (typeof field.count === 'number') return count;
  const most = run(reader, path, () => field.maxCount?.(device) ?? MAX_ELEMENTS);
  if (count > most) throw misfit(reader, path, `${count} elements, at most ${most} fit here`);
  return count;
}

/** Runs a device's own code; what it throws is about the stream. */
function run<T>(reader: StreamReader, path: string, code: () => T, back = 0): T {
  try {
    return code();
  } catch (error) {
    throw StreamError.at(error, { ...(path === '' ? {} : { field: path }), offset: reader.offset - back });
  }
}

function misfit(reader: StreamReader, path: string, detail: string, back = 0): StreamError {
  return new StreamError(detail, { ...(path === '' ? {} : { field: path }), offset: reader.offset - back });
}

function fail(error: unknown, path: string): never {
  throw StreamError.at(error, { field: path });
}

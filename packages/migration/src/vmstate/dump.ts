/** `-dump-vmstate`: the tables of device types in the JSON shape that QEMU's static checker reads (QEMU scripts/vmstate-static-checker.py, v10.0). */
import { type ResolvedVmState, resolveVmState, VM_SCALAR_SIZE, type VmField, type VmStateTable } from '@sterna/core';
import { uniqueNames } from './describe.ts';

/** One field of a dump. */
export interface DumpedField {
  field: string;
  version_id: number;
  field_exists: boolean;
  /** Bytes of one element; 0 when only the device knows. */
  size: number;
  /** Elements of a fixed array. */
  num?: number;
  Description?: DumpedDescription;
}

/** A table or subsection of a dump. */
export interface DumpedDescription {
  name: string;
  version_id: number;
  minimum_version_id: number;
  Fields?: DumpedField[];
  Subsections?: DumpedDescription[];
}

/** A device type of a dump. */
export interface DumpedDevice {
  Name: string;
  version_id: number;
  minimum_version_id: number;
  Description: DumpedDescription;
}

/** The whole dump: `vmschkmachine` and one entry for each device type, by name. */
export type VmStateDump = { vmschkmachine: { Name: string } } & Record<string, DumpedDevice | { Name: string }>;

/**
 * Prints the tables of a machine's device types, without making any device.
 *
 * @param tables table by device type; types without a table are left out by the caller
 */
// biome-ignore lint/suspicious/noExplicitAny: tables of every device type
export function dumpVmState(machine: string, tables: ReadonlyMap<string, VmStateTable<any>>): VmStateDump {
  const dump: VmStateDump = { vmschkmachine: { Name: machine } };
  for (const [type, table] of tables) {
    const description = dumpTable(resolveVmState(table));
    dump[type] = {
      Name: description.name,
      version_id: description.version_id,
      minimum_version_id: description.minimum_version_id,
      Description: description,
    };
  }
  return dump;
}

function dumpTable(state: ResolvedVmState): DumpedDescription {
  const names = uniqueNames(state.fields);
  return {
    name: state.name,
    version_id: state.version,
    minimum_version_id: state.minimumVersion,
    ...(state.fields.length === 0 ? {} : { Fields: state.fields.map((field, i) => dumpField(field, names[i]!)) }),
    ...(state.subsections.length === 0 ? {} : { Subsections: state.subsections.map(dumpTable) }),
  };
}

function dumpField(field: VmField, name: string): DumpedField {
  const common = { field: name, version_id: field.since, field_exists: field.when !== undefined };
  switch (field.kind) {
    case 'scalar':
      return { ...common, size: VM_SCALAR_SIZE[field.type], ...fixed(field.count) };
    case 'buffer':
      return { ...common, size: typeof field.size === 'number' ? field.size : 0 };
    case 'unused':
      return { ...common, size: field.size };
    case 'struct':
    case 'tmp': {
      const state = resolveVmState(field.table);
      return {
        ...common,
        size: sizeOf(state),
        ...(field.kind === 'struct' ? fixed(field.count) : {}),
        Description: dumpTable(state),
      };
    }
    case 'custom':
      return { ...common, size: 0 };
  }
}

function fixed(count: number | ((dev: object) => number) | undefined): { num?: number } {
  return typeof count === 'number' ? { num: count } : {};
}

/** Bytes of a struct as far as the table tells. */
function sizeOf(state: ResolvedVmState): number {
  return state.fields.reduce((sum, field) => {
    const { size, num = 1 } = dumpField(field, field.name);
    return sum + size * num;
  }, 0);
}

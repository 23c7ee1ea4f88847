/**
 * `-dump-vmstate`: the tables of device types in QEMU's JSON shape (that of 11.1; 7.2 leaves out `num`), which QEMU's
 * static checker reads as well as `diff.ts`.
 *
 * QUIRK: QEMU's `size` of a struct is that of the C structure. Here it is what the table puts on the wire, as far as
 * the table alone tells.
 */
import {
  type ResolvedVmState,
  resolveVmState,
  VM_SCALAR_SIZE,
  type VmBufferField,
  type VmField,
  type VmStateTable,
} from '@sterna/core';

/** One field of a dump. */
export interface DumpedField {
  field: string;
  /** First version of the table that has the field. */
  version_id: number;
  /** Whether a condition of the device decides that the field is on the wire. */
  field_exists: boolean;
  /** Elements of a fixed array. */
  num?: number;
  /** Bytes of one element; 0 when only the device knows. */
  size: number;
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
  /** The device type; the section's name is the description's. */
  Name: string;
  version_id: number;
  minimum_version_id: number;
  Description: DumpedDescription;
}

/** The whole dump: `vmschkmachine` and one entry for each device type, by name. */
export type VmStateDump = { vmschkmachine: { Name: string } } & Record<string, DumpedDevice | { Name: string }>;

/** A table to be dumped. */
export interface DumpedTable {
  // biome-ignore lint/suspicious/noExplicitAny: tables of every device type
  readonly table: VmStateTable<any>;
  /** A device with this table, if there is one: it knows the length of its buffers. */
  readonly device?: object;
}

/**
 * Prints the tables of a machine's device types.
 *
 * @param tables table by device type; types without a table are left out by the caller
 */
export function dumpVmState(machine: string, tables: ReadonlyMap<string, DumpedTable>): VmStateDump {
  const dump: VmStateDump = { vmschkmachine: { Name: machine } };
  for (const [type, { table, device }] of tables) {
    const description = dumpTable(resolveVmState(table), device);
    dump[type] = {
      Name: type,
      version_id: description.version_id,
      minimum_version_id: description.minimum_version_id,
      Description: description,
    };
  }
  return dump;
}

function dumpTable(state: ResolvedVmState, device: object | undefined): DumpedDescription {
  const fields = state.fields.map((field) => dumpField(field, device));
  return {
    name: state.name,
    version_id: state.version,
    minimum_version_id: state.minimumVersion,
    ...(fields.length === 0 ? {} : { Fields: fields }),
    ...(state.subsections.length === 0
      ? {}
      : { Subsections: state.subsections.map((subsection) => dumpTable(subsection, device)) }),
  };
}

function dumpField(field: VmField, device: object | undefined): DumpedField {
  const place = { field: field.name, version_id: field.since, field_exists: field.when !== undefined };
  switch (field.kind) {
    case 'scalar':
      return { ...place, ...fixed(field.count), size: VM_SCALAR_SIZE[field.type] };
    case 'buffer':
      return { ...place, size: bufferSize(field, device) };
    case 'unused':
      return { ...place, size: field.size };
    case 'struct': {
      const elements = fixed(field.count);
      const single = field.count === undefined || (elements.num ?? 0) > 0;
      const element = device === undefined || !single ? undefined : field.at(device, 0);
      return { ...place, ...elements, ...dumpStruct(field.table, element) };
    }
    case 'tmp':
      return { ...place, ...dumpStruct(field.table, device) };
    case 'custom':
      return { ...place, size: 0 };
  }
}

function dumpStruct(table: VmStateTable<object>, device: object | undefined) {
  const description = dumpTable(resolveVmState(table), device);
  const size = (description.Fields ?? []).reduce((sum, field) => sum + field.size * (field.num ?? 1), 0);
  return { size, Description: description };
}

/** A buffer that is sent whole has the length that it has in every device of the type. */
function bufferSize({ size, bytes }: VmBufferField, device: object | undefined): number {
  if (size === undefined) return device === undefined ? 0 : bytes(device).length;
  return typeof size === 'number' ? size : 0;
}

function fixed(count: number | ((dev: object) => number) | undefined): { num?: number } {
  return typeof count === 'number' ? { num: count } : {};
}

/** The text of a dump, laid out as QEMU does. */
export function vmStateDumpText(dump: VmStateDump): string {
  return `${JSON.stringify(dump, null, 2)}\n`;
}

/** Tables and devices made from a stream's own description, so that real streams can be loaded before their devices exist. */
import type { VmField, VmScalarType, VmStateSubsection, VmStateTable } from '@sterna/core';
import type { StateSection } from '../../src/host.ts';
import type { DeviceDescription, FieldDescription, StructDescription } from '../../src/vmstate/describe.ts';

type Values = Record<string, unknown>;

const SCALARS: Readonly<Record<string, VmScalarType>> = {
  bool: 'bool',
  uint8: 'u8',
  uint16: 'u16',
  uint32: 'u32',
  uint64: 'u64',
  int8: 'i8',
  int16: 'i16',
  int32: 'i32',
  int64: 'i64',
  timer: 'timer',
};

/** A section with a device that has exactly the described state. */
export function sectionFromDescription(device: DeviceDescription): StateSection {
  const state: Values = {};
  return { idstr: device.name, instanceId: device.instance_id, vmstate: table(device, state), state };
}

function table(description: StructDescription, state: Values): VmStateTable<Values> {
  const present = new Set<string>();
  return {
    name: description.vmsd_name,
    version: description.version,
    fields: () => description.fields.map((field) => makeField(field, state)),
    subsections: (description.subsections ?? []).map((subsection): VmStateSubsection<Values> => {
      const body = table(subsection, state);
      return {
        ...body,
        name: subsection.vmsd_name,
        version: subsection.version,
        needed: () => present.has(subsection.vmsd_name),
        preLoad: () => void present.add(subsection.vmsd_name),
      };
    }),
  };
}

let unique = 0;

function makeField(field: FieldDescription, state: Values): VmField {
  // Repeated names are numbered in the description; the codec numbers them again.
  const name = field.name.replace(/^(unused)\[\d+\]$/, '$1');
  const key = `${field.name}#${unique++}`;
  const common = { name, since: 0 };
  const count = field.array_len === undefined ? {} : { count: field.array_len };
  const scalar = SCALARS[field.type];
  if (scalar !== undefined) {
    const values: (number | bigint | boolean)[] = [];
    state[key] = values;
    return {
      kind: 'scalar',
      type: scalar,
      ...common,
      ...count,
      get: (_, i) => values[i]!,
      set: (_, value, i) => {
        values[i] = value;
      },
    };
  }
  if (field.struct !== undefined) {
    const nested = Array.from({ length: field.array_len ?? 1 }, () => ({}) as Values);
    // One table for all elements: its accessors find the element's own values.
    return {
      kind: 'struct',
      ...common,
      ...count,
      table: nestedTable(field.struct) as VmStateTable<object>,
      at: (_, i) => nested[i]!,
    };
  }
  if (field.type === 'tmp') {
    const inner = nestedTable({ vmsd_name: field.vmsd_name!, version: field.version!, fields: field.fields! });
    return { kind: 'tmp', ...common, table: inner as VmStateTable<object> };
  }
  if (field.type === 'unused_buffer') return { kind: 'unused', ...common, size: field.size };
  const bytes = new Uint8Array(field.size);
  state[key] = bytes;
  if (field.type === 'buffer') return { kind: 'buffer', ...common, bytes: () => bytes };
  return {
    kind: 'custom',
    type: field.type,
    ...common,
    save: (_, stream) => stream.bytes(bytes),
    load: (_, stream) => stream.bytesInto(bytes),
  };
}

function member(dev: object, key: string, make: () => object): object {
  const values = dev as Values;
  values[key] ??= make();
  return values[key] as object;
}

/** A nested struct's table, whose values live in the element. */
function nestedTable(description: StructDescription): VmStateTable<Values> {
  return {
    name: description.vmsd_name,
    version: description.version,
    fields: () =>
      description.fields.map((field): VmField => {
        const common = { name: field.name, since: 0 };
        const count = field.array_len === undefined ? {} : { count: field.array_len };
        const type = SCALARS[field.type];
        if (type !== undefined) {
          const values = (dev: object) => member(dev, field.name, () => []) as (number | bigint | boolean)[];
          return {
            kind: 'scalar',
            type,
            ...common,
            ...count,
            get: (dev, i) => values(dev)[i]!,
            set: (dev, value, i) => {
              values(dev)[i] = value;
            },
          };
        }
        if (field.struct !== undefined) {
          return {
            kind: 'struct',
            ...common,
            ...count,
            table: nestedTable(field.struct) as VmStateTable<object>,
            at: (dev, i) => member(dev, `${field.name}/${i}`, () => ({})),
          };
        }
        if (field.type === 'tmp') {
          const inner = nestedTable({ vmsd_name: field.vmsd_name!, version: field.version!, fields: field.fields! });
          return { kind: 'tmp', ...common, table: inner as VmStateTable<object> };
        }
        if (field.type === 'unused_buffer') return { kind: 'unused', ...common, size: field.size };
        throw new Error(`no nested field of type ${field.type}`);
      }),
  };
}

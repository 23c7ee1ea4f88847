/** The configuration section: which machine the stream is from (QEMU migration/savevm.c, v10.0). */
import { StreamError } from '../errors.ts';
import type { MigrationHost } from '../host.ts';
import { SECTION } from '../stream/constants.ts';
import { latin1, type StreamReader } from '../stream/reader.ts';
import type { StreamWriter } from '../stream/writer.ts';
import type { StructDescription } from '../vmstate/describe.ts';

const UUID = 'configuration/uuid';
const CAPABILITIES = 'configuration/capabilities';
const PAGE_BITS = 'configuration/target-page-bits';

/** Writes the section and describes it. */
export function writeConfiguration(writer: StreamWriter, host: MigrationHost, withUuid: boolean): StructDescription {
  const name = new TextEncoder().encode(host.machineName);
  writer.u8(SECTION.configuration);
  writer.u32(name.length);
  writer.bytes(name);
  const description: StructDescription = {
    vmsd_name: 'configuration',
    version: 1,
    fields: [
      { name: 'len', type: 'uint32', size: 4 },
      { name: 'name', type: 'buffer', size: name.length },
    ],
  };
  if (!withUuid || host.uuid === undefined) return description;
  writer.u8(SECTION.subsection);
  writer.countedString(UUID);
  writer.u32(1);
  writer.bytes(host.uuid);
  const uuid = { vmsd_name: UUID, version: 1, fields: [{ name: 'uuid', array_len: 16, type: 'uint8', size: 1 }] };
  return { ...description, subsections: [uuid] };
}

/**
 * Reads the section behind its type byte and compares it with this machine.
 *
 * @throws StreamError when the stream is from another machine
 */
export async function readConfiguration(reader: StreamReader, host: MigrationHost, checkUuid: boolean): Promise<void> {
  try {
    await reader.ensure(4);
    const length = reader.u32();
    if (length > 255) throw new StreamError(`a machine name of ${length} bytes`, { offset: reader.offset - 4 });
    await reader.ensure(length);
    const name = latin1(reader.bytes(length));
    if (name !== host.machineName) {
      throw new StreamError(`the stream is from machine '${name}', this one is '${host.machineName}'`, {
        field: 'name',
        offset: reader.offset - length,
      });
    }
    while ((await reader.hasMore()) && reader.peekU8() === SECTION.subsection)
      await subsection(reader, host, checkUuid);
  } catch (error) {
    throw StreamError.at(error, { section: 'configuration' });
  }
}

async function subsection(reader: StreamReader, host: MigrationHost, checkUuid: boolean): Promise<void> {
  await reader.ensure(2);
  await reader.ensure(2 + reader.peekAt(1) + 4);
  reader.skip(1);
  const name = reader.countedString();
  reader.skip(4);
  switch (name) {
    case PAGE_BITS: {
      await reader.ensure(4);
      const bits = reader.u32();
      if (bits !== 12)
        throw new StreamError(`the stream has ${bits} target page bits, this machine 12`, {
          field: name,
          offset: reader.offset - 4,
        });
      return;
    }
    case UUID: {
      await reader.ensure(16);
      const received = hex(reader.bytes(16));
      const local = host.uuid === undefined ? undefined : hex(host.uuid);
      if (checkUuid && local !== undefined && received !== local) {
        throw new StreamError(`the stream has UUID ${received}, this machine ${local}`, {
          field: 'uuid',
          offset: reader.offset - 16,
        });
      }
      return;
    }
    case CAPABILITIES:
      return capabilities(reader);
    default:
      throw new StreamError(`subsection '${name}' is not known here`, { offset: reader.offset });
  }
}

/** Capabilities whose use changes the stream. None of them is offered here yet, so any that is on is a mismatch. */
async function capabilities(reader: StreamReader): Promise<void> {
  await reader.ensure(4);
  if (reader.u32() === 0) return;
  await reader.ensure(1);
  await reader.ensure(1 + reader.peekU8());
  const name = reader.countedString();
  throw new StreamError(`the source has capability '${name}' on, this side off`, {
    field: 'capabilities',
    offset: reader.offset,
  });
}

function hex(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

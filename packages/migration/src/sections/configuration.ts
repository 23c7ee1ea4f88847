/** The configuration section: which machine the stream is from (QEMU migration/savevm.c, v10.0). */
import type { CapabilityName } from '../capabilities.ts';
import { StreamError } from '../errors.ts';
import type { MigrationHost } from '../host.ts';
import { SECTION } from '../stream/constants.ts';
import { latin1, type StreamReader } from '../stream/reader.ts';
import type { StreamWriter } from '../stream/writer.ts';
import type { StructDescription } from '../vmstate/describe.ts';

const UUID = 'configuration/uuid';
const CAPABILITIES = 'configuration/capabilities';
const PAGE_BITS = 'configuration/target-page-bits';

/** Capabilities that change the stream so much that both sides must agree (QEMU should_validate_capability). */
const VALIDATED: readonly CapabilityName[] = ['x-ignore-shared', 'mapped-ram'];

/** What is asked of a side's capabilities. */
type HasCapability = { has(name: CapabilityName): boolean };

/** Writes the section and describes it. */
export function writeConfiguration(
  writer: StreamWriter,
  host: MigrationHost,
  capabilities: HasCapability,
): StructDescription {
  const name = new TextEncoder().encode(host.machineName);
  writer.u8(SECTION.configuration);
  writer.u32(name.length);
  writer.bytes(name);
  const subsections: StructDescription[] = [];
  const validated = VALIDATED.filter((capability) => capabilities.has(capability));
  if (validated.length > 0) subsections.push(writeCapabilities(writer, validated));
  if (capabilities.has('validate-uuid') && host.uuid !== undefined) subsections.push(writeUuid(writer, host.uuid));
  return {
    vmsd_name: 'configuration',
    version: 1,
    fields: [
      { name: 'len', type: 'uint32', size: 4 },
      { name: 'name', type: 'buffer', size: name.length },
    ],
    ...(subsections.length === 0 ? {} : { subsections }),
  };
}

function beginSubsection(writer: StreamWriter, name: string): void {
  writer.u8(SECTION.subsection);
  writer.countedString(name);
  writer.u32(1);
}

function writeCapabilities(writer: StreamWriter, names: readonly CapabilityName[]): StructDescription {
  beginSubsection(writer, CAPABILITIES);
  writer.u32(names.length);
  for (const name of names) writer.countedString(name);
  return {
    vmsd_name: CAPABILITIES,
    version: 1,
    fields: [
      { name: 'caps_count', type: 'uint32', size: 4 },
      { name: 'capabilities', array_len: names.length, type: 'capability', size: 1 + names[0]!.length },
    ],
  };
}

function writeUuid(writer: StreamWriter, uuid: Uint8Array): StructDescription {
  beginSubsection(writer, UUID);
  writer.bytes(uuid);
  return { vmsd_name: UUID, version: 1, fields: [{ name: 'uuid', array_len: 16, type: 'uint8', size: 1 }] };
}

/**
 * Reads the section behind its type byte and compares it with this machine.
 *
 * @throws StreamError when the stream is from another machine
 */
export async function readConfiguration(
  reader: StreamReader,
  host: MigrationHost,
  capabilities: HasCapability,
): Promise<void> {
  try {
    await reader.ensure(4);
    const length = reader.u32();
    if (length > 255) throw new StreamError(`a machine name of ${length} bytes`, { offset: reader.offset - 4 });
    await reader.ensure(length);
    const name = latin1(reader.bytes(length));
    if (name !== host.machineName) {
      throw new StreamError(
        `the stream is from machine '${name}', this one is '${host.machineName}'; start it with -machine ${name}`,
        { field: 'name', offset: reader.offset - length },
      );
    }
    // Without the subsection none of them is on at the source.
    let received: readonly string[] = [];
    const at = reader.offset;
    while ((await reader.hasMore()) && reader.peekU8() === SECTION.subsection) {
      const list = await readSubsection(reader, host);
      if (list !== undefined) received = list;
    }
    compareCapabilities(received, capabilities, at);
  } catch (error) {
    throw StreamError.at(error, { section: 'configuration' });
  }
}

/** Answers the capabilities, if it was their subsection. */
async function readSubsection(reader: StreamReader, host: MigrationHost): Promise<string[] | undefined> {
  await reader.ensure(2);
  await reader.ensure(2 + reader.peekAt(1) + 4);
  reader.skip(1);
  const name = reader.countedString();
  reader.skip(4);
  switch (name) {
    case PAGE_BITS:
      await readPageBits(reader);
      return undefined;
    case UUID:
      await readUuid(reader, host);
      return undefined;
    case CAPABILITIES:
      return readCapabilities(reader);
    default:
      throw new StreamError(`subsection '${name}' is not known here`, { offset: reader.offset });
  }
}

async function readPageBits(reader: StreamReader): Promise<void> {
  await reader.ensure(4);
  const bits = reader.u32();
  if (bits === 12) return;
  throw new StreamError(`the stream has ${bits} target page bits, this machine 12`, {
    field: PAGE_BITS,
    offset: reader.offset - 4,
  });
}

/** A machine without a UUID takes any; one with a UUID insists on it, whatever its own capabilities. */
async function readUuid(reader: StreamReader, host: MigrationHost): Promise<void> {
  await reader.ensure(16);
  const received = uuidText(reader.bytes(16));
  if (host.uuid === undefined) {
    host.report?.(`the stream has UUID ${received}, this machine has none`);
    return;
  }
  const local = uuidText(host.uuid);
  if (received === local) return;
  throw new StreamError(`the stream has UUID ${received}, this machine ${local}; start it with -uuid ${received}`, {
    field: 'uuid',
    offset: reader.offset - 16,
  });
}

async function readCapabilities(reader: StreamReader): Promise<string[]> {
  await reader.ensure(4);
  const count = reader.u32();
  if (count > 255) throw new StreamError(`${count} capabilities`, { field: 'caps_count', offset: reader.offset - 4 });
  const names: string[] = [];
  for (let i = 0; i < count; i++) {
    await reader.ensure(1);
    await reader.ensure(1 + reader.peekU8());
    names.push(reader.countedString());
  }
  return names;
}

function compareCapabilities(received: readonly string[], capabilities: HasCapability, offset: number): void {
  for (const name of new Set([...VALIDATED, ...received])) {
    const local = VALIDATED.some((known) => known === name && capabilities.has(known));
    const remote = received.includes(name);
    if (local === remote) continue;
    throw new StreamError(
      `capability '${name}' is ${remote ? 'on' : 'off'} at the source and ${local ? 'on' : 'off'} here; set it on both sides or on neither`,
      { field: 'capabilities', offset },
    );
  }
}

function uuidText(bytes: Uint8Array): string {
  const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/**
 * A whole precopy stream as a list of records, and back. The list holds every
 * byte: encoding it gives the same stream. It is what inspection, diff and the
 * golden tests work on; a migration itself never builds it.
 */
import { StreamError } from '../errors.ts';
import { COMMAND, RAM_FLAG, SECTION, VM_FILE_MAGIC, VM_FILE_VERSION } from '../stream/constants.ts';
import { ByteCursor, ByteSink } from '../stream/cursor.ts';
import { latin1 } from '../stream/reader.ts';
import { type DecodedStruct, decodeStruct, encodeStruct } from '../vmstate/decode.ts';
import type { DeviceDescription, VmDescription } from '../vmstate/describe.ts';

/** One record of the RAM section. */
export interface RamRecord {
  readonly flags: number;
  /** Offset in the block; the total size for the block list. */
  readonly address: number;
  /** Block name, when the record has one. */
  readonly block?: string;
  /** Block list of the setup part. */
  readonly blocks?: readonly { readonly name: string; readonly length: number }[];
  /** Page bytes, fill byte, or xbzrle data. */
  readonly data?: Uint8Array;
}

/** A record of the framing. `offset` is its first byte. */
export type StreamRecord = { readonly offset: number } & (
  | { readonly type: 'header'; readonly version: number }
  | {
      readonly type: 'configuration';
      readonly machine: string;
      readonly subsections: readonly { readonly name: string; readonly version: number; readonly body: Uint8Array }[];
    }
  | { readonly type: 'command'; readonly command: number; readonly payload: Uint8Array }
  | {
      readonly type: 'ram';
      readonly kind: 'start' | 'part' | 'end';
      readonly id: number;
      readonly instance: number;
      readonly version: number;
      readonly records: readonly RamRecord[];
    }
  | {
      readonly type: 'full';
      readonly id: number;
      readonly idstr: string;
      readonly instance: number;
      readonly version: number;
      readonly state: DecodedStruct;
      readonly payload: Uint8Array;
    }
  | { readonly type: 'eof' }
  | { readonly type: 'vmdescription'; readonly json: Uint8Array }
);

/** Finds the description at the end of a stream; undefined when there is none. */
export function findVmDescription(
  stream: Uint8Array,
): { readonly offset: number; readonly description: VmDescription } | undefined {
  for (
    let at = stream.lastIndexOf(SECTION.vmdescription);
    at >= 0;
    at = at === 0 ? -1 : stream.lastIndexOf(SECTION.vmdescription, at - 1)
  ) {
    const cursor = new ByteCursor(stream, at + 1);
    if (cursor.left < 4) continue;
    const length = cursor.u32();
    if (length > cursor.left || stream[cursor.offset] !== 0x7b) continue;
    try {
      return {
        offset: at,
        description: JSON.parse(new TextDecoder().decode(cursor.bytes(length).slice())) as VmDescription,
      };
    } catch {
      // A byte of page data that looks like a marker: look further ahead.
    }
  }
  return undefined;
}

/**
 * Takes a complete precopy stream apart.
 *
 * @throws StreamError naming the offset, also when the stream has no description to decode devices by.
 */
export function parseStream(stream: Uint8Array): StreamRecord[] {
  const found = findVmDescription(stream);
  if (found === undefined) throw new StreamError('the stream has no vmdescription to decode devices by');
  const devices = [...found.description.devices];
  const cursor = new ByteCursor(stream);
  if (cursor.u32() !== VM_FILE_MAGIC)
    throw new StreamError('this is not a migration stream: no QEVM at its start', { offset: 0 });
  const version = cursor.u32();
  if (version !== VM_FILE_VERSION)
    throw new StreamError(`stream version ${version}, known is ${VM_FILE_VERSION}`, { offset: 4 });
  const records: StreamRecord[] = [{ type: 'header', offset: 0, version }];
  while (cursor.left > 0) records.push(parseRecord(cursor, devices));
  return records;
}

function parseRecord(cursor: ByteCursor, devices: DeviceDescription[]): StreamRecord {
  const offset = cursor.offset;
  const type = cursor.u8();
  switch (type) {
    case SECTION.configuration:
      return parseConfiguration(cursor, offset);
    case SECTION.command: {
      const command = cursor.u16();
      const payload = cursor.bytes(cursor.u16());
      if (command === COMMAND.packaged)
        throw new StreamError('a packaged (postcopy) stream is not decoded', { offset });
      return { type: 'command', offset, command, payload };
    }
    case SECTION.start:
    case SECTION.part:
    case SECTION.end:
      return parseRam(cursor, offset, type);
    case SECTION.full:
      return parseFull(cursor, offset, devices);
    case SECTION.eof:
      return { type: 'eof', offset };
    case SECTION.vmdescription:
      return { type: 'vmdescription', offset, json: cursor.bytes(cursor.u32()) };
    default:
      throw new StreamError(`unknown section type ${type}`, { offset });
  }
}

function parseConfiguration(cursor: ByteCursor, offset: number): Extract<StreamRecord, { type: 'configuration' }> {
  const machine = latin1(cursor.bytes(cursor.u32()));
  const subsections: { name: string; version: number; body: Uint8Array }[] = [];
  while (cursor.data[cursor.offset] === SECTION.subsection) {
    cursor.u8();
    const name = cursor.countedString();
    const version = cursor.u32();
    const start = cursor.offset;
    skipConfigurationBody(cursor, name);
    subsections.push({ name, version, body: cursor.data.subarray(start, cursor.offset) });
  }
  return { type: 'configuration', offset, machine, subsections };
}

function skipConfigurationBody(cursor: ByteCursor, name: string): void {
  if (name === 'configuration/target-page-bits') cursor.u32();
  else if (name === 'configuration/uuid') cursor.bytes(16);
  else if (name === 'configuration/capabilities')
    for (let left = cursor.u32(); left > 0; left--) cursor.countedString();
  else throw new StreamError(`subsection '${name}' is not known`, { section: 'configuration', offset: cursor.offset });
}

function parseRam(cursor: ByteCursor, offset: number, type: number): StreamRecord {
  const id = cursor.u32();
  let [instance, version] = [0, 0];
  if (type === SECTION.start) {
    const idstr = cursor.countedString();
    if (idstr !== 'ram') throw new StreamError(`live section '${idstr}' is not decoded`, { offset });
    instance = cursor.u32();
    version = cursor.u32();
  }
  const records: RamRecord[] = [];
  do records.push(parseRamRecord(cursor));
  while (records.at(-1)!.flags !== RAM_FLAG.eos);
  footer(cursor, id, 'ram');
  const kind = type === SECTION.start ? 'start' : type === SECTION.part ? 'part' : 'end';
  return { type: 'ram', offset, kind, id, instance, version, records };
}

function parseRamRecord(cursor: ByteCursor): RamRecord {
  const at = cursor.offset;
  const word = cursor.u64();
  const flags = word % 4096;
  const address = word - flags;
  if (flags === RAM_FLAG.memSize) {
    const blocks: { name: string; length: number }[] = [];
    for (let left = address; left > 0; left -= blocks.at(-1)!.length)
      blocks.push({ name: cursor.countedString(), length: cursor.u64() });
    return { flags, address, blocks };
  }
  if (flags === RAM_FLAG.eos || flags === RAM_FLAG.multifdFlush) return { flags, address };
  const block = (flags & RAM_FLAG.continue) === 0 ? { block: cursor.countedString() } : {};
  switch (flags & ~RAM_FLAG.continue) {
    case RAM_FLAG.zero:
      return { flags, address, ...block, data: cursor.bytes(1) };
    case RAM_FLAG.page:
      return { flags, address, ...block, data: cursor.bytes(4096) };
    case RAM_FLAG.xbzrle: {
      cursor.u8();
      return { flags, address, ...block, data: cursor.bytes(cursor.u16()) };
    }
    default:
      throw new StreamError(`unknown RAM record flags ${flags}`, { section: 'ram', offset: at });
  }
}

function parseFull(cursor: ByteCursor, offset: number, devices: DeviceDescription[]): StreamRecord {
  const [id, idstr, instance, version] = [cursor.u32(), cursor.countedString(), cursor.u32(), cursor.u32()];
  const description = devices.shift();
  if (description === undefined || description.name !== idstr || description.instance_id !== instance) {
    throw new StreamError(`next in the description is '${description?.name}'`, { section: idstr, instance, offset });
  }
  const start = cursor.offset;
  try {
    const state = decodeStruct(cursor, description);
    const payload = cursor.data.subarray(start, cursor.offset);
    footer(cursor, id, idstr);
    return { type: 'full', offset, id, idstr, instance, version, state, payload };
  } catch (error) {
    throw StreamError.at(error, { section: idstr, instance });
  }
}

function footer(cursor: ByteCursor, id: number, section: string): void {
  const at = cursor.offset;
  const [mark, found] = [cursor.u8(), cursor.u32()];
  if (mark !== SECTION.footer || found !== id)
    throw new StreamError(`no footer of section ${id}, but ${mark} ${found}`, { section, offset: at });
}

/** Puts records together again. */
export function encodeStream(records: readonly StreamRecord[]): Uint8Array {
  const sink = new ByteSink();
  for (const record of records) encodeRecord(sink, record);
  return sink.data;
}

function encodeRecord(sink: ByteSink, record: StreamRecord): void {
  switch (record.type) {
    case 'header':
      sink.u32(VM_FILE_MAGIC);
      sink.u32(record.version);
      break;
    case 'configuration':
      sink.u8(SECTION.configuration);
      sink.u32(record.machine.length);
      for (const char of record.machine) sink.u8(char.charCodeAt(0));
      for (const { name, version, body } of record.subsections) {
        sink.u8(SECTION.subsection);
        sink.countedString(name);
        sink.u32(version);
        sink.bytes(body);
      }
      break;
    case 'command':
      sink.u8(SECTION.command);
      sink.u16(record.command);
      sink.u16(record.payload.length);
      sink.bytes(record.payload);
      break;
    case 'ram':
      sink.u8(SECTION[record.kind]);
      sink.u32(record.id);
      if (record.kind === 'start') sectionName(sink, 'ram', record.instance, record.version);
      for (const ram of record.records) encodeRamRecord(sink, ram);
      endSection(sink, record.id);
      break;
    case 'full':
      sink.u8(SECTION.full);
      sink.u32(record.id);
      sectionName(sink, record.idstr, record.instance, record.version);
      encodeStruct(sink, record.state);
      endSection(sink, record.id);
      break;
    case 'eof':
      sink.u8(SECTION.eof);
      break;
    case 'vmdescription':
      sink.u8(SECTION.vmdescription);
      sink.u32(record.json.length);
      sink.bytes(record.json);
      break;
  }
}

function sectionName(sink: ByteSink, idstr: string, instance: number, version: number): void {
  sink.countedString(idstr);
  sink.u32(instance);
  sink.u32(version);
}

function endSection(sink: ByteSink, id: number): void {
  sink.u8(SECTION.footer);
  sink.u32(id);
}

function encodeRamRecord(sink: ByteSink, { flags, address, block, blocks, data }: RamRecord): void {
  sink.u64(address + flags);
  if (block !== undefined) sink.countedString(block);
  for (const { name, length } of blocks ?? []) {
    sink.countedString(name);
    sink.u64(length);
  }
  if ((flags & RAM_FLAG.xbzrle) !== 0) {
    sink.u8(1);
    sink.u16(data!.length);
  }
  if (data !== undefined) sink.bytes(data);
}

/**
 * A whole precopy stream as a list of records, and back. The list holds every byte: encoding it gives the same stream.
 * It is what proves that a stream is understood to its last byte; a migration itself never builds it.
 */
import { StreamError } from '../errors.ts';
import { COMMAND, RAM_FLAG, SECTION, VM_FILE_MAGIC } from '../stream/constants.ts';
import { ByteSink } from '../stream/cursor.ts';
import { type DecodedStruct, encodeStruct } from '../vmstate/decode.ts';
import { findDescription } from './description.ts';
import type { SectionItem, StreamItem } from './items.ts';
import type { RamListener } from './ram-walk.ts';
import { MemorySource } from './source.ts';
import { walkStream } from './walk.ts';

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

/**
 * Takes a complete precopy stream apart.
 *
 * @throws StreamError naming the offset, also when something in it is not described: live devices, pages at fixed places.
 */
export function parseStream(stream: Uint8Array): StreamRecord[] {
  const source = new MemorySource(stream);
  if (findDescription(source) === undefined)
    throw new StreamError('the stream has no vmdescription to decode devices by');
  let records: RamRecord[] = [];
  const ram: RamListener = {
    blocks: (blocks, total) => {
      if (blocks.some(({ mapped }) => mapped !== undefined))
        throw new StreamError('a file with fixed places for pages is no list of records', { section: 'ram' });
      records.push({
        flags: RAM_FLAG.memSize,
        address: total,
        blocks: blocks.map(({ name, length }) => ({ name, length })),
      });
    },
    page: (flags, { name }, address, data, length) =>
      records.push({
        flags,
        address,
        ...((flags & RAM_FLAG.continue) === 0 ? { block: name } : {}),
        data: stream.subarray(data, data + length),
      }),
    mark: (flags) => records.push({ flags, address: 0 }),
  };
  const list: StreamRecord[] = [];
  for (const item of walkStream(source, { ram })) {
    const record = recordOf(item, stream, records);
    if (record === undefined) continue;
    list.push(record);
    records = [];
  }
  return list;
}

function recordOf(item: StreamItem, stream: Uint8Array, ram: readonly RamRecord[]): StreamRecord | undefined {
  switch (item.type) {
    case 'header':
    case 'eof':
      return item;
    case 'configuration':
      return {
        type: 'configuration',
        offset: item.offset,
        machine: item.machine,
        subsections: item.parts.map(({ name, version, body }) => ({ name, version, body })),
      };
    case 'command':
      if (item.command === COMMAND.packaged)
        throw new StreamError('a packaged (postcopy) stream is not decoded', { offset: item.offset });
      return { type: 'command', offset: item.offset, command: item.command, payload: item.payload };
    case 'section':
      return sectionRecord(item, stream, ram);
    case 'vmdescription':
      return {
        type: 'vmdescription',
        offset: item.offset,
        json: stream.subarray(item.offset + 5, item.offset + 5 + item.length),
      };
    case 'warning':
      return undefined;
    case 'damage':
      throw new StreamError(item.message, item.place);
    case 'trailing':
      throw new StreamError(`${item.length} bytes follow the stream`, { offset: item.offset });
  }
}

function sectionRecord(item: SectionItem, stream: Uint8Array, records: readonly RamRecord[]): StreamRecord {
  const { offset, kind, id, idstr, instance, version, body, bodyOffset, bodyLength } = item;
  if (body.kind === 'ram' && kind !== 'full') {
    // PART and END do not repeat the name.
    const [shownInstance, shownVersion] = kind === 'start' ? [instance, version] : [0, 0];
    return { type: 'ram', offset, kind, id, instance: shownInstance, version: shownVersion, records };
  }
  if (body.kind !== 'fields')
    throw new StreamError('the section is not described', { section: idstr, instance, offset });
  const payload = stream.subarray(bodyOffset, bodyOffset + bodyLength);
  return { type: 'full', offset, id, idstr, instance, version, state: body.state, payload };
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

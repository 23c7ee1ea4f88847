/**
 * Decodes sections of a stream that has no description: cut, or made by postcopy. The section is loaded into a device of
 * this build, and what saving that device again is described as is what the bytes are.
 */
import { isVmStateTable } from '@sterna/core';
import type { StateSection } from '../host.ts';
import { GlobalState, globalStateTable } from '../sections/global-state.ts';
import { ByteCursor } from '../stream/cursor.ts';
import { StreamReader } from '../stream/reader.ts';
import { StreamWriter } from '../stream/writer.ts';
import type { MigrationChannel } from '../transport/channel.ts';
import { type DecodedStruct, decodeInto, emptyStruct } from '../vmstate/decode.ts';
import { loadVmState } from '../vmstate/load.ts';
import { saveVmState } from '../vmstate/save.ts';
import type { SectionItem, StreamItem } from './items.ts';
import type { ByteSource } from './source.ts';

/**
 * Decodes the item, if it is a section that was left as bytes and these devices know it.
 *
 * @param sections of a machine that is made for this: its devices get the stream's state
 */
export async function decodeByTables(
  item: StreamItem,
  source: ByteSource,
  sections: readonly StateSection[],
): Promise<void> {
  if (item.type !== 'section' || item.kind !== 'full' || item.body.kind !== 'bytes') return;
  const found = tableOf(item, sections);
  if (found === undefined) return;
  const bytes = source.read(item.bodyOffset, item.bodyLength).slice();
  let state: DecodedStruct | undefined;
  try {
    if (item.footer) await loadVmState(new StreamReader(oneRead(bytes)), found.table, found.state, item.version);
    const description = saveVmState(new StreamWriter({ write: async () => {} }), found.table, found.state);
    const cursor = new ShiftedCursor(bytes, item.bodyOffset);
    const open = emptyStruct(description);
    // Of a section that is cut there is no more than its beginning.
    if (!item.footer) state = open;
    decodeInto(cursor, description, open);
    if (cursor.left === 0) state = open;
  } catch {
    // Another layout than this build's: its bytes are shown.
  }
  if (state !== undefined) item.body = { kind: 'fields', state, by: 'tables' };
}

function tableOf({ idstr, instance }: SectionItem, sections: readonly StateSection[]) {
  if (idstr === 'globalstate') return { table: globalStateTable(true), state: new GlobalState() };
  const found = sections.find(
    (section) => section.idstr === idstr && (section.instanceId === instance || section.aliasId === instance),
  );
  return found !== undefined && isVmStateTable(found.vmstate)
    ? { table: found.vmstate, state: found.state }
    : undefined;
}

/** A channel that brings these bytes and ends. */
function oneRead(bytes: Uint8Array): MigrationChannel {
  const chunks = [bytes];
  return {
    name: 'section',
    bidirectional: false,
    write: async () => {},
    read: async () => chunks.pop(),
    end: async () => {},
    abort: () => {},
    close: async () => {},
  };
}

/** Offsets as they are in the stream. */
class ShiftedCursor {
  readonly #cursor: ByteCursor;
  readonly #base: number;

  constructor(bytes: Uint8Array, base: number) {
    this.#cursor = new ByteCursor(bytes);
    this.#base = base;
  }
  get offset(): number {
    return this.#base + this.#cursor.offset;
  }
  set offset(offset: number) {
    this.#cursor.offset = offset - this.#base;
  }
  get left(): number {
    return this.#cursor.left;
  }
  u8(): number {
    return this.#cursor.u8();
  }
  u32(): number {
    return this.#cursor.u32();
  }
  bytes(length: number): Uint8Array {
    return this.#cursor.bytes(length);
  }
  countedString(): string {
    return this.#cursor.countedString();
  }
}

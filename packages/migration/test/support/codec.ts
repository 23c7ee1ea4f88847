import type { VmStateTable } from '@sterna/core';
import { StreamReader } from '../../src/stream/reader.ts';
import { StreamWriter } from '../../src/stream/writer.ts';
import type { MigrationChannel } from '../../src/transport/channel.ts';
import type { StructDescription } from '../../src/vmstate/describe.ts';
import { loadVmState } from '../../src/vmstate/load.ts';
import { saveVmState } from '../../src/vmstate/save.ts';

/** A channel that keeps what is written. */
export class Collector implements MigrationChannel {
  readonly name = 'collector';
  readonly bidirectional = false;
  readonly #chunks: Uint8Array[] = [];
  get bytes(): Uint8Array {
    return Buffer.concat(this.#chunks);
  }
  async write(bytes: Uint8Array): Promise<void> {
    this.#chunks.push(bytes.slice());
  }
  async read(): Promise<undefined> {
    return undefined;
  }
  async end(): Promise<void> {}
  abort(): void {}
  async close(): Promise<void> {}
}

/** A channel that delivers bytes in pieces. */
export class Feeder extends Collector {
  readonly #rest: Uint8Array;
  readonly #piece: number;
  #at = 0;
  constructor(bytes: Uint8Array, piece = 1) {
    super();
    this.#rest = bytes;
    this.#piece = piece;
  }
  override async read(): Promise<undefined> {
    const from = this.#at;
    this.#at += this.#piece;
    const chunk = this.#rest.subarray(from, this.#at);
    // The base class never delivers; this one does.
    return (chunk.length === 0 ? undefined : chunk) as undefined;
  }
}

/** Bytes and description of a device. */
export async function save<D extends object>(
  table: VmStateTable<D>,
  device: D,
): Promise<{ bytes: Uint8Array; description: StructDescription }> {
  const channel = new Collector();
  const writer = new StreamWriter(channel);
  const description = saveVmState(writer, table, device);
  await writer.flushed();
  return { bytes: channel.bytes, description };
}

/** Loads a device from bytes, one at a time, with the start of a footer behind them. */
export async function load<D extends object>(
  table: VmStateTable<D>,
  device: D,
  bytes: Uint8Array,
  version: number = table.version,
): Promise<StreamReader> {
  const reader = new StreamReader(new Feeder(Uint8Array.from([...bytes, 0x7e])));
  await loadVmState(reader, table, device, version);
  return reader;
}

/** Bytes as hex. */
export function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex');
}

import { isVmStateTable, wasmHost } from '@sterna/core';
import { loadVmState, ramKernel, StreamReader, StreamWriter, saveVmState } from '@sterna/migration';
import { LocalMachine } from '../tests/support/local-machine.ts';
import { median } from './stats.ts';
import { tickGuest } from './tick-guest.ts';

/** A channel that keeps the last thing written, and delivers it. */
class Loopback {
  readonly name = 'loopback';
  readonly bidirectional = false;
  #bytes: Uint8Array = new Uint8Array();
  async write(bytes: Uint8Array): Promise<void> {
    this.#bytes = bytes.slice();
  }
  async read(): Promise<Uint8Array | undefined> {
    return this.#bytes;
  }
  async end(): Promise<void> {}
  abort(): void {}
  async close(): Promise<void> {}
}

/** Time to write and to read every device of a microvm whose guest has run, in ms. */
export async function codecFigures(
  runs = 200,
): Promise<{ encodeMs: number; decodeMs: number; firstEncodeMs: number; firstDecodeMs: number; bytes: number }> {
  const local = new LocalMachine({ ramMiB: 64, kernel: tickGuest({}) });
  const { machine } = local;
  machine.start();
  await new Promise((resolve) => setTimeout(resolve, 300));
  machine.stop('paused');
  const sections = machine
    .sections()
    .flatMap(({ vmstate, state }) => (isVmStateTable(vmstate) ? [{ vmstate, state }] : []));
  const [encode, decode]: [number[], number[]] = [[], []];
  let bytes = 0;
  for (let run = 0; run < runs; run++) {
    const channel = new Loopback();
    const writer = new StreamWriter(channel);
    const began = performance.now();
    for (const { vmstate, state } of sections) saveVmState(writer, vmstate, state);
    encode.push(performance.now() - began);
    bytes = writer.transferred;
    await writer.flushed();
    const reader = new StreamReader(channel);
    await reader.ensure(bytes);
    const reading = performance.now();
    for (const { vmstate, state } of sections) await loadVmState(reader, vmstate, state, vmstate.version);
    decode.push(performance.now() - reading);
  }
  await machine.dispose();
  return {
    encodeMs: median(encode),
    decodeMs: median(decode),
    firstEncodeMs: encode[0]!,
    firstDecodeMs: decode[0]!,
    bytes,
  };
}

/** Zero test of resident memory that is all zeros, the slowest case, in GB/s; and time to collect the dirty pages of 1 GiB, in µs. */
export function scanFigures(runs = 9): { scanGBs: number; harvestUs: number } {
  const mib = 512;
  const pages = mib * 256;
  const base = 16 * 2 ** 20;
  const wasmPages = (base + mib * 2 ** 20) / 65_536;
  const memory = new wasmHost.Memory({ initial: wasmPages, maximum: wasmPages, shared: true });
  // Touched, so that it is memory and not the kernel's one page of zeros.
  new Uint8Array(memory.buffer).fill(0, base);
  for (let at = base; at < memory.buffer.byteLength; at += 4096)
    Atomics.store(new Int32Array(memory.buffer, at, 1), 0, 0);
  const kernel = ramKernel(memory, 16);
  const [scans, harvests]: [number[], number[]] = [[], []];
  for (let run = 0; run < runs; run++) {
    const began = performance.now();
    for (let page = 0; page < pages; page++) kernel.isZero(base + page * 4096);
    scans.push((pages * 4096) / (performance.now() - began) / 1e6);
    const harvesting = performance.now();
    kernel.harvest(2 ** 20, 2 * 2 ** 20, 262_144);
    harvests.push((performance.now() - harvesting) * 1000);
  }
  return { scanGBs: median(scans), harvestUs: median(harvests) };
}

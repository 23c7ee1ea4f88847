import { PAGE_CODE, PAGE_MISSING, PAGE_PROTECTED, PAGE_UNTOUCHED, wasmHost } from '@sterna/core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { multifdKernelModule } from '../../src/multifd/kernel.ts';
import { WATCHED } from '../../src/multifd/kernel-instance.ts';
import { PacketInput } from '../../src/multifd/packet-input.ts';
import type { ReceivePlan } from '../../src/multifd/packet-reader.ts';
import {
  encodeHello,
  encodePagesHeader,
  encodeStateHeader,
  MULTIFD_FLAG,
  type MultifdCompression,
  OFFSETS_AT,
  PAGES_HEADER_SIZE,
  PacketError,
} from '../../src/multifd/packets.ts';
import { nodeCodecs } from '../../src/node/multifd-codecs.ts';

const PAGE = 4096;
const [FLAGS, RAM, PAGES] = [0x1_0000, 0x10_0000, 16];
const memory = new wasmHost.Memory({ initial: 32, maximum: 32, shared: true });
const u8 = new Uint8Array(memory.buffer);
const plan = (compression: MultifdCompression): ReceivePlan => ({
  memory,
  kernel: multifdKernelModule(),
  blocks: [{ name: 'ram', hostOffset: RAM, flags: FLAGS, pages: PAGES }],
  compression,
});

interface Seen {
  syncs: number;
  watched: number[];
  states: string[];
}

/** Reads bytes in pieces, hello included. */
async function read(bytes: Uint8Array, piece: number, compression: MultifdCompression = 'none'): Promise<Seen> {
  const seen: Seen = { syncs: 0, watched: [], states: [] };
  let at = 0;
  const input = new PacketInput((window) => ({
    next: async () => {
      const part = bytes.subarray(at, at + Math.min(piece, window.length));
      window.set(part);
      at += part.length;
      return part.length;
    },
  }));
  if ((await input.hello()) === undefined || !(await input.more())) return seen;
  const owner = {
    synchronise: async (watched: readonly number[]) => {
      seen.syncs++;
      seen.watched.push(...watched);
    },
    state: async ({ idstr }: { readonly idstr: string }, state: Uint8Array) => {
      seen.states.push(`${idstr} ${Buffer.from(state)}`);
    },
  };
  await input.run(plan(compression), owner, nodeCodecs.decoder(compression));
  return seen;
}

/** A packet with pages, each filled with its value. */
function packet(
  normal: readonly (readonly [page: number, value: number])[],
  zero: readonly number[],
  flags = 0,
): Buffer {
  const header = Buffer.alloc(PAGES_HEADER_SIZE);
  const view = new DataView(header.buffer, header.byteOffset);
  const block = normal.length + zero.length > 0 ? 'ram' : '';
  const [counts, payload] = [{ normal: normal.length, zero: zero.length }, normal.length * PAGE];
  encodePagesHeader(view, { flags, ...counts, payload, number: 1, block });
  for (const [i, page] of [...normal.map(([page]) => page), ...zero].entries())
    view.setUint32(OFFSETS_AT + i * 8 + 4, page * PAGE);
  return Buffer.concat([header, ...normal.map(([, value]) => Buffer.alloc(PAGE, value))]);
}

const hello = encodeHello({ uuid: new Uint8Array(16), id: 0 });
const sync = packet([], [], MULTIFD_FLAG.sync);

function reset(): void {
  u8.fill(0, RAM, RAM + PAGES * PAGE);
  u8.fill(PAGE_UNTOUCHED, FLAGS, FLAGS + PAGES);
}

test('pages, zero pages and marks arrive, in whatever pieces', async () => {
  const state = Buffer.concat([encodeStateHeader({ idstr: 'dev', instanceId: 0, length: 3 }), Buffer.from('abc')]);
  const bytes = Buffer.concat([
    hello,
    packet(
      [
        [3, 7],
        [9, 8],
      ],
      [4],
    ),
    sync,
    state,
    packet([[4, 9]], [3], 1),
  ]);
  for (const piece of [1, 100, 4096, 5000, bytes.length]) {
    reset();
    u8[FLAGS + 9] = PAGE_CODE;
    const { syncs, watched, states } = await read(bytes, piece);
    expect([3, 4, 9].map((page) => u8[RAM + page * PAGE + 4095])).toEqual([0, 9, 8]);
    // Page 9 has code: whoever runs it must hear of the write, so its flags are left to the loop.
    expect([3, 4, 5, 9].map((page) => u8[FLAGS + page])).toEqual([0, 0, PAGE_UNTOUCHED, PAGE_CODE]);
    expect({ syncs, watched, states }).toEqual({ syncs: 2, watched: [RAM + 9 * PAGE], states: ['dev abc'] });
  }
});

test('the flags that are watched are those of core', () => {
  expect(WATCHED).toBe(PAGE_CODE | PAGE_MISSING | PAGE_PROTECTED);
});

test('what does not fit is refused, by name', async () => {
  const refused = (bytes: Uint8Array) => expect(read(Buffer.concat([hello, bytes]), 5000)).rejects;
  await refused(packet([[PAGES, 1]], [])).toThrow(/page at 0x10000 of RAM block ram, which has 16 pages/);
  await refused(packet([], [PAGES])).toThrow(/0x10000/);
  const odd = packet([[1, 1]], []);
  odd.writeUInt32BE(4097, OFFSETS_AT + 4);
  await refused(odd).toThrow(/0x1001/);
  odd.writeUInt32BE(1, OFFSETS_AT);
  await refused(odd).toThrow(/0x100001001/);
  const stranger = packet([[1, 1]], []);
  stranger.write('rom', 64);
  await refused(stranger).toThrow(/RAM block 'rom' does not exist here; this machine has ram/);
  await refused(packet([[1, 1]], []).subarray(0, 2000)).toThrow(/ends within a packet/);
});

for (const method of ['zlib', 'zstd'] as const)
  test(`${method}: what is decompressed must be the pages, no more and no less`, async () => {
    const encoder = nodeCodecs.encoder(method, 1)!;
    const compressed = (pages: number, said: number): Buffer => {
      const output = new Uint8Array(100_000);
      const payload = encoder.encode(Buffer.alloc(pages * PAGE, 5), output);
      const header = packet(
        Array.from({ length: said }, (_, i) => [i, 0] as const),
        [],
      ).subarray(0, PAGES_HEADER_SIZE);
      header.writeUInt32BE(method === 'zlib' ? 2 : 4, 8);
      header.writeUInt32BE(payload, 20);
      return Buffer.concat([header, output.subarray(0, payload)]);
    };
    reset();
    const good = compressed(2, 2);
    await read(Buffer.concat([hello, good, compressed(3, 3)]), 77, method);
    expect(u8[RAM + 2 * PAGE]).toBe(5);
    const anew = (pages: number, said: number) => {
      const one = nodeCodecs.encoder(method, 1)!;
      const output = new Uint8Array(100_000);
      const payload = one.encode(Buffer.alloc(pages * PAGE, 5), output);
      const header = Buffer.from(good.subarray(0, PAGES_HEADER_SIZE));
      header.writeUInt32BE(said, 16);
      header.writeUInt32BE(payload, 20);
      return read(Buffer.concat([hello, header, output.subarray(0, payload)]), 5000, method);
    };
    await expect(anew(3, 2)).rejects.toThrow(/more than that/);
    await expect(anew(1, 2)).rejects.toThrow(/4096 bytes/);
    const junk = Buffer.from(good);
    junk.fill(0x77, PAGES_HEADER_SIZE);
    await expect(read(Buffer.concat([hello, junk]), 5000, method)).rejects.toThrow(
      /cannot be decompressed|decompressed/,
    );
  });

test('whatever comes, memory outside of the block stays as it is', async () => {
  const valid = Buffer.concat([
    hello,
    packet(
      [
        [0, 1],
        [15, 2],
      ],
      [7],
    ),
    sync,
    packet([[2, 3]], [], 1),
  ]);
  u8.fill(0xaa, RAM - PAGE, RAM);
  u8.fill(0xaa, RAM + PAGES * PAGE, RAM + (PAGES + 4) * PAGE);
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.record({ at: fc.nat(valid.length - 1), value: fc.nat(255) }), { minLength: 1, maxLength: 8 }),
      fc.boolean(),
      fc.constantFrom('none' as const, 'zlib' as const, 'zstd' as const),
      async (changes, inHeader, compression) => {
        reset();
        const bytes = Buffer.from(valid);
        for (const { at, value } of changes) bytes[inHeader ? 64 + (at % 400) : at] = value;
        await read(bytes, 3000, compression).catch((error: unknown) => expect(error).toBeInstanceOf(PacketError));
        const around = [u8.subarray(RAM - PAGE, RAM), u8.subarray(RAM + PAGES * PAGE, RAM + (PAGES + 4) * PAGE)];
        for (const bytes of around) expect(bytes.every((byte) => byte === 0xaa)).toBe(true);
      },
    ),
    { numRuns: 150 },
  );
});

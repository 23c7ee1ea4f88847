import { mkdtemp, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PAGE_UNTOUCHED } from '@sterna/core';
import { nodeEventLoop } from '@sterna/core/node';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MigrationController } from '../../src/controller.ts';
import type { FileInput } from '../../src/mapped-ram/file.ts';
import { bitmapSize, placeBehind, runsOf } from '../../src/mapped-ram/layout.ts';
import { NodeMigrationTransport } from '../../src/node/transport.ts';
import { Pace } from '../../src/pace.ts';
import type { MigrationChannel } from '../../src/transport/channel.ts';
import { FakeHost } from '../support/fake-host.ts';
import { SimLoop } from '../support/sim-loop.ts';

const PAGE = 4096;
const MIB = 2 ** 20;
const BLOCKS: readonly [string, number, number?][] = [
  ['fake.ram', 768 * 1024],
  ['tables', 8192, 65536],
];
const PAGES = BLOCKS[0]![1] / PAGE;
const pace = new Pace(nodeEventLoop, { monotonicNs: () => performance.now() * 1e6 });
const transport = new NodeMigrationTransport();

let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'sterna-mapped-'));
});
afterAll(() => rm(directory, { recursive: true }));

function controllerOf(host: FakeHost, ...capabilities: string[]): MigrationController {
  const controller = new MigrationController(host, { transport, pace });
  controller.setCapabilities(['mapped-ram', ...capabilities].map((capability) => ({ capability, state: true })));
  return controller;
}

/** A machine with runs of pages that were written, some of them with zeros, and others that never were. */
function sourceMachine(): FakeHost {
  const source = new FakeHost('running', BLOCKS);
  const { hostOffset } = source.block('fake.ram');
  for (let page = 0; page < PAGES; page++) {
    if (page % 7 >= 5 || (page > 40 && page < 90)) continue;
    source.guestWrite(hostOffset + page * PAGE + page, page % 7 === 3 ? 0 : 1 + (page % 250));
  }
  source.counter.ticks = 5;
  return source;
}

function expectSame(host: FakeHost, source: FakeHost): void {
  for (const [name] of BLOCKS) expect(Buffer.compare(host.content(name), source.content(name)), name).toBe(0);
}

describe('the layout', () => {
  test('is a bitmap behind the header and pages at the next MiB', () => {
    expect(placeBehind(100, 1000)).toEqual({ bitmapOffset: 128, pagesOffset: MIB });
    expect(placeBehind(MIB - 28 - 128, 1024)).toEqual({ bitmapOffset: MIB - 128, pagesOffset: MIB });
    expect(placeBehind(MIB - 28 - 127, 1024)).toEqual({ bitmapOffset: MIB - 127, pagesOffset: 2 * MIB });
    expect([1, 64, 65].map(bitmapSize)).toEqual([8, 8, 16]);
  });

  test('a bitmap is read as runs', () => {
    fc.assert(
      fc.property(
        fc.array(fc.boolean(), { minLength: 1, maxLength: 300 }),
        fc.integer({ min: 1, max: 70 }),
        (bits, most) => {
          const bitmap = new Uint8Array(bitmapSize(bits.length));
          for (const [i, bit] of bits.entries()) if (bit) bitmap[i >>> 3] = bitmap[i >>> 3]! | (1 << (i & 7));
          const runs = [...runsOf(bitmap, bits.length, most)];
          const pages = runs.flatMap(({ page, count }) => Array.from({ length: count }, (_, i) => page + i));
          expect(pages).toEqual([...bits.entries()].flatMap(([i, bit]) => (bit ? [i] : [])));
          expect(runs.every(({ count }) => count >= 1 && count <= most)).toBe(true);
        },
      ),
    );
    expect(() => [...runsOf(Uint8Array.of(0, 0x10, 0, 0, 0, 0, 0, 0), 12, 8)]).toThrow('page 12 is there');
  });
});

describe('a file', () => {
  const OFFSET = 5000;

  for (const ways of [[], ['multifd']] as const)
    for (const direct of [false, true])
      test(`takes a guest, ${[...ways, direct ? 'direct' : 'cached'].join(' ')}, and gives it to others`, async () => {
        const path = join(directory, `guest-${ways.join()}-${direct}`);
        await writeFile(path, 'x'.repeat(3 * MIB));
        const source = sourceMachine();
        const out = controllerOf(source, ...ways);
        out.setParameters({ 'direct-io': direct });
        const info = await out.migrate(`file:${path},offset=${OFFSET}`);
        expect(info.ram?.['multifd-bytes']).toBe(ways.length === 0 ? 0 : info.ram!.normal * PAGE);
        const bytes = await readFile(path);
        expect(bytes.subarray(0, OFFSET).every((byte) => byte === 0x78)).toBe(true);
        // Two blocks, each at a MiB; the rest of the stream behind the second.
        expect(bytes.length).toBeGreaterThan(2 * MIB + 8192);
        expect(bytes.length).toBeLessThan(2 * MIB + 8192 + 4096);
        // Holes, but for what was written.
        expect((await stat(path)).blocks * 512).toBeLessThan(MIB);
        for (let i = 0; i < 2; i++) {
          const destination = new FakeHost('inmigrate', BLOCKS);
          // Nothing of what was there may show through.
          const { hostOffset } = destination.block('fake.ram');
          for (let page = 0; page < PAGES; page += 2) {
            destination.u8.fill(0xee, hostOffset + page * PAGE, hostOffset + (page + 1) * PAGE);
            destination.markWritten(hostOffset + page * PAGE, PAGE);
          }
          const into = controllerOf(destination, ...(i === 0 ? ways : []));
          into.setParameters({ 'direct-io': direct });
          await into.migrateIncoming(`file:${path},offset=${OFFSET}`);
          expectSame(destination, source);
          expect([destination.runState, destination.counter.ticks]).toEqual(['running', 5]);
        }
      });

  test('leaves pages alone that were never written', async () => {
    const path = join(directory, 'untouched');
    const source = sourceMachine();
    await controllerOf(source).migrate(`file:${path}`);
    const destination = new FakeHost('inmigrate', BLOCKS);
    const { hostOffset } = destination.block('fake.ram');
    await controllerOf(destination).migrateIncoming(`file:${path}`);
    const flags = destination.u8.subarray(destination.pageFlags + hostOffset / PAGE);
    expect(flags[50]! & PAGE_UNTOUCHED).toBe(PAGE_UNTOUCHED);
    expect(flags[0]! & PAGE_UNTOUCHED).toBe(0);
  });

  test('that cannot be written ends the migration, and the guest runs on', async () => {
    const source = sourceMachine();
    const out = controllerOf(source);
    // Every write to it fails.
    await expect(out.migrate('file:/dev/full')).rejects.toMatchObject({ code: 'STERNA_ERR_TRANSPORT' });
    expect(source.runState).toBe('running');
    await out.migrate(`file:${join(directory, 'again')}`);
  });

  test('that ends early is refused, whatever is missing, and another one may be loaded', async () => {
    const path = join(directory, 'cut');
    const source = sourceMachine();
    await controllerOf(source).migrate(`file:${path}`);
    const whole = await readFile(path);
    const destination = new FakeHost('inmigrate', BLOCKS);
    const into = controllerOf(destination);
    for (const length of [60, 100, 2 ** 20 - 1, 2 ** 20 + 10 * PAGE + 5, 2 * MIB + 4096]) {
      await truncate(path, length);
      await expect(into.migrateIncoming(`file:${path}`)).rejects.toMatchObject({ code: 'STERNA_ERR_STREAM' });
      expect(destination.runState).toBe('inmigrate');
      await writeFile(path, whole);
    }
    await into.migrateIncoming(`file:${path}`);
    expectSame(destination, source);
  });
});

/** A file in memory. */
class MemoryFile implements MigrationChannel, FileInput {
  readonly name = 'memory';
  readonly bidirectional = false;
  readonly start = 0;
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }
  get fileInput(): FileInput {
    return this;
  }
  seek(offset: number): void {
    this.#at = offset;
  }
  async read(): Promise<Uint8Array | undefined> {
    const part = this.#bytes.slice(this.#at, this.#at + 4096);
    this.#at += part.length;
    return part.length === 0 ? undefined : part;
  }
  async readAt(target: Uint8Array, offset: number): Promise<number> {
    const part = this.#bytes.subarray(offset, offset + target.length);
    target.set(part);
    return part.length;
  }
  readPages(target: Uint8Array, offset: number): Promise<number> {
    return this.readAt(target, offset);
  }
  async write(): Promise<void> {}
  async end(): Promise<void> {}
  abort(): void {}
  async close(): Promise<void> {}
}

describe('a file that is not to be trusted', () => {
  let file: Uint8Array;
  let header: number;
  const source = sourceMachine();
  beforeAll(async () => {
    const path = join(directory, 'trusted');
    await controllerOf(source).migrate(`file:${path}`);
    file = await readFile(path);
    header = Buffer.from(file).indexOf('fake.ram') + 8 + 8;
  });

  async function load(
    bytes: Uint8Array,
  ): Promise<{ host: FakeHost; error: { code: string; message: string } | undefined }> {
    const host = new FakeHost('inmigrate', BLOCKS);
    const loop = new SimLoop();
    const controller = new MigrationController(host, { transport, pace: loop.pace });
    controller.setCapabilities([{ capability: 'mapped-ram', state: true }]);
    let error: { code: string; message: string } | undefined;
    await loop.run(controller.migrateIncomingOverChannel(new MemoryFile(bytes))).catch((reason) => {
      error = reason;
    });
    return { host, error };
  }

  test.for([
    ['version', 0, 4, 2n, 'version 2'],
    ['version', 0, 4, 0n, 'version 0'],
    ['page size', 4, 8, 0n, 'pages of 0 bytes'],
    ['page size', 4, 8, 65536n, 'pages of 65536 bytes'],
    ['bitmap', 12, 8, 0n, 'before the header'],
    ['bitmap', 12, 8, 1n << 60n, 'not a possible size'],
    ['bitmap', 12, 8, BigInt(MIB), 'before the bitmap'],
    ['pages', 20, 8, 0n, 'before the bitmap'],
    ['pages', 20, 8, BigInt(MIB + 17), 'not aligned'],
    ['pages', 20, 8, BigInt(Number.MAX_SAFE_INTEGER - 4095), 'too far'],
    ['pages', 20, 8, 1n << 40n, 'ends'],
  ] as const)('a wrong %s in the header is named (%i)', async ([, at, size, value, text]) => {
    const bytes = Uint8Array.from(file);
    const view = new DataView(bytes.buffer, header + at);
    if (size === 4) view.setUint32(0, Number(value));
    else view.setBigUint64(0, value);
    const { host, error } = await load(bytes);
    expect(error).toMatchObject({ code: 'STERNA_ERR_STREAM', message: expect.stringContaining(text) });
    expect(error!.message).toContain('fake.ram');
    expect(host.runState).toBe('inmigrate');
  });

  test('a bit for a page that the block does not have is refused', async () => {
    const bytes = Uint8Array.from(file);
    const second = Buffer.from(bytes).indexOf('tables', MIB + 768 * 1024) + 6 + 8;
    const bitmap = Number(new DataView(bytes.buffer, second + 12).getBigUint64(0));
    bytes[bitmap + 7] = 0x80;
    expect((await load(bytes)).error?.message).toContain('page 63 is there, and the block has 2');
  });

  test('a record of the stream that brings a page is refused', async () => {
    const bytes = Uint8Array.from(file);
    const eos = 2 * MIB + 8192;
    expect(new DataView(bytes.buffer, eos).getBigUint64(0)).toBe(0x10n);
    new DataView(bytes.buffer, eos).setBigUint64(0, 0x28n);
    expect((await load(bytes)).error?.message).toContain('in which pages have places');
  });

  test('500 corruptions of what is not a page end in a coded error, or in a machine in a valid state', async () => {
    const tail = 2 * MIB + 8192;
    const bitmap = header + 28;
    const framing = fc.oneof(
      fc.nat(header + 40),
      fc.integer({ min: header, max: bitmap + bitmapSize(PAGES) }),
      fc.integer({ min: MIB + 768 * 1024, max: MIB + 768 * 1024 + 60 }),
      fc.integer({ min: tail, max: file.length - 1 }),
    );
    const change = fc.record({ at: framing, byte: fc.oneof(fc.nat(255), fc.constantFrom(0, 0xff, 0x10)) });
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 4 }), async (changes) => {
        const bytes = Uint8Array.from(file);
        for (const { at, byte } of changes) bytes[at] = byte;
        const { host, error } = await load(bytes);
        if (error === undefined) expect(host.runState).toBe('running');
        else {
          expect(error).toMatchObject({ code: expect.stringMatching(/^STERNA_ERR_(STREAM|TRANSPORT)$/) });
          expect(host.runState).toBe('inmigrate');
        }
      }),
      { numRuns: 500 },
    );
  }, 60_000);
});

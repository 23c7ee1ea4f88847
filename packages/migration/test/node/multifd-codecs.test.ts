import { randomBytes } from 'node:crypto';
import { Writable } from 'node:stream';
import zlib from 'node:zlib';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { nodeCodecs } from '../../src/node/multifd-codecs.ts';

const PAGE = 4096;
const METHODS = ['zlib', 'zstd'] as const;

/** Pages as guests have them: some random, some regular, some of both. */
const pages = fc.array(fc.constantFrom('random', 'regular', 'mixed'), { minLength: 1, maxLength: 128 }).map((kinds) =>
  Buffer.concat(
    kinds.map((kind, i) => {
      const page = kind === 'random' ? randomBytes(PAGE) : Buffer.alloc(PAGE, i);
      if (kind === 'mixed') randomBytes(700).copy(page, 100);
      return page;
    }),
  ),
);

for (const method of METHODS) {
  test(`${method}: packets of one stream come back, in whatever pieces they are read`, () => {
    fc.assert(
      fc.property(
        fc.array(pages, { minLength: 1, maxLength: 5 }),
        fc.integer({ min: 1, max: 70_000 }),
        (all, piece) => {
          const encoder = nodeCodecs.encoder(method, 1)!;
          const decoder = nodeCodecs.decoder(method)!;
          const packed = new Uint8Array(640 * 1024);
          const output = new Uint8Array(128 * PAGE + 1);
          for (const packet of all) {
            const length = encoder.encode(packet, packed);
            let [at, made] = [0, 0];
            while (at < length) {
              const input = packed.subarray(at, Math.min(at + piece, length));
              const { taken, written } = decoder.decode(input, output.subarray(made, packet.length + 1));
              at += taken;
              made += written;
              expect(taken + written).toBeGreaterThan(0);
            }
            expect(made).toBe(packet.length);
            expect(packet.equals(output.subarray(0, made))).toBe(true);
          }
        },
      ),
      { numRuns: 15 },
    );
  });

  test(`${method}: the whole is a stream that any decompressor reads`, async () => {
    const encoder = nodeCodecs.encoder(method, 3)!;
    const packed = new Uint8Array(640 * 1024);
    const packets = [Buffer.alloc(PAGE * 3, 'abc'), randomBytes(PAGE * 100)];
    const decompress = method === 'zlib' ? zlib.createInflate() : zlib.createZstdDecompress();
    const chunks: Buffer[] = [];
    const sink = new Writable({
      write: (chunk, _encoding, done) => {
        chunks.push(chunk);
        done();
      },
    });
    decompress.pipe(sink);
    for (const packet of packets) {
      const length = encoder.encode(packet, packed);
      await new Promise((resolve) => decompress.write(Buffer.from(packed.slice(0, length)), resolve));
    }
    await new Promise((resolve) => setImmediate(resolve));
    expect(Buffer.concat(chunks).equals(Buffer.concat(packets))).toBe(true);
  });

  test(`${method}: bytes that are no stream are an error, again and again`, () => {
    const decoder = nodeCodecs.decoder(method)!;
    for (let i = 0; i < 3; i++) expect(() => decoder.decode(Buffer.alloc(100, 0x77), new Uint8Array(PAGE))).toThrow();
  });
}

test('pages that do not fit are an error', () => {
  expect(() => nodeCodecs.encoder('zlib', 1)!.encode(randomBytes(PAGE), new Uint8Array(1000))).toThrow('do not fit');
});

test('none is no codec', () => {
  expect(nodeCodecs.encoder('none', 1)).toBeUndefined();
  expect(nodeCodecs.decoder('none')).toBeUndefined();
});

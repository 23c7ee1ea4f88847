import { isNotSupported } from '@sterna/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { testLayer } from '../support/layer.ts';
import { MemoryImages } from '../support/memory-images.ts';

const SIZE = 16 * 1024;

/** A request of a guest, or of somebody else with a way to the node. */
const step = fc.record({
  kind: fc.constantFrom('read', 'write', 'zero', 'discard', 'flush'),
  offset: fc.integer({ min: 0, max: SIZE }),
  length: fc.oneof(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 0, max: 5000 })),
  fill: fc.integer({ min: 0, max: 255 }),
  mayUnmap: fc.boolean(),
});

describe('a disk', () => {
  it.each([
    { name: 'raw over file', align: 0 },
    { name: 'raw with an offset over blkdebug, 512 bytes at a time', align: 512 },
    { name: 'raw with an odd offset over blkdebug, 4096 bytes at a time', align: 4096 },
  ])('$name answers as a buffer would, whatever is done at the same time', async ({ align }) => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), fc.integer({ min: 1, max: 4 }), async (steps, atOnce) => {
        const images = new MemoryImages();
        const offset = align === 0 ? 0 : align === 512 ? 512 : 777;
        const file = images.file('d', SIZE + 2048 - 100);
        for (let i = 0; i < 15_000; i++) file.bytes[i] = (i * 151) ^ (i >> 7);
        const before = file.bytes.slice();
        const { layer } = testLayer({ images });
        const below = { driver: 'file', filename: 'd' };
        await layer.add({
          driver: 'raw',
          'node-name': 'n',
          offset,
          size: SIZE,
          discard: 'unmap',
          file: align === 0 ? below : { driver: 'blkdebug', align, 'max-transfer': align * 3, image: below },
        });
        const disk = layer.attach('n', { id: 'd0' });
        const model = new Uint8Array(SIZE);
        model.set(before.subarray(offset, offset + SIZE));
        // Requests at the same time only have one outcome when they do not overlap.
        for (let at = 0; at < steps.length; at += atOnce) {
          const batch = disjoint(steps.slice(at, at + atOnce));
          await Promise.all(
            batch.map(async ({ kind, offset: from, length, fill, mayUnmap }) => {
              const end = Math.min(SIZE, from + length);
              const size = end - from;
              if (kind === 'read') {
                const into = new Uint8Array(size);
                await disk.read(from, into);
                expect(Buffer.compare(into, model.subarray(from, end))).toBe(0);
              } else if (kind === 'write') {
                await disk.write(from, new Uint8Array(size).fill(fill), { fua: mayUnmap });
                model.fill(fill, from, end);
              } else if (kind === 'zero') {
                await disk.writeZeroes(from, size, { mayUnmap });
                model.fill(0, from, end);
              } else if (kind === 'discard') {
                await disk.discard(from, size);
                // What a discarded range reads as is open: it is what it reads as now.
                await disk.read(from, model.subarray(from, end));
              } else await disk.flush();
            }),
          );
        }
        const all = new Uint8Array(SIZE);
        await disk.read(0, all);
        expect(Buffer.compare(all, model)).toBe(0);
        // Nothing outside was touched.
        expect(Buffer.compare(file.bytes.subarray(0, offset), before.subarray(0, offset))).toBe(0);
        const behind = offset + SIZE;
        expect(Buffer.compare(file.bytes.subarray(behind, before.length), before.subarray(behind))).toBe(0);
        await layer.close();
        expect(file.opened).toBe(0);
      }),
      { numRuns: process.env['STERNA_LONG'] === '1' ? 1000 : 60 },
    );
  });

  it('refuses what is not inside it', async () => {
    const { layer } = testLayer();
    await layer.add({ driver: 'null-co', 'node-name': 'n', size: 4096 });
    const disk = layer.attach('n', { id: 'd0' });
    for (const [offset, length] of [
      [4096, 1],
      [4000, 97],
      [-1, 1],
      [Number.NaN, 1],
      [0.5, 1],
      [2 ** 53, 0],
    ] as const) {
      await expect(disk.read(offset, new Uint8Array(length))).rejects.toMatchObject({ code: 'STERNA_ERR_BLOCK_IO' });
      await expect(disk.writeZeroes(offset, length)).rejects.toMatchObject({ errno: 'EIO' });
      await expect(disk.discard(offset, length)).rejects.toMatchObject({ errno: 'EIO' });
    }
    await expect(disk.writeZeroes(0, 4096, { noFallback: true })).resolves.toBeUndefined();
    expect(isNotSupported(new Error('no'))).toBe(false);
  });
});

type Step = { readonly offset: number; readonly length: number };

function disjoint<S extends Step>(steps: readonly S[]): readonly S[] {
  const chosen: S[] = [];
  for (const candidate of steps) {
    const clash = chosen.some(
      (other) => candidate.offset < other.offset + other.length && other.offset < candidate.offset + candidate.length,
    );
    if (!clash) chosen.push(candidate);
  }
  return chosen;
}

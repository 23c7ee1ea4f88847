import { failNth } from '@sterna/block';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { testLayer } from '../support/layer.ts';
import { MemoryImages } from '../support/memory-images.ts';

const names = (layer: ReturnType<typeof testLayer>['layer']) =>
  layer.graph.nodes.filter(({ active }) => active).map(({ nodeName }) => nodeName);

function stack(filename: string, faults: Readonly<Record<string, unknown>> = {}) {
  return {
    driver: 'raw',
    'node-name': 'r',
    file: {
      driver: 'blkdebug',
      'node-name': 'b',
      image: { driver: 'file', 'node-name': 'f', filename },
      ...faults,
    },
  };
}

describe('activation', () => {
  it('is given up from the top and taken from the bottom, both as often as one likes', async () => {
    const images = new MemoryImages();
    const file = images.file('d', 4096);
    const { layer } = testLayer({ images });
    await layer.add(stack('d'));
    const disk = layer.attach('r', { id: 'd0' });
    await disk.write(0, new Uint8Array([1]));
    await expect(layer.setActive('f', false)).rejects.toThrow(/Node has active parent node/);
    for (let i = 0; i < 2; i++) {
      await layer.inactivateAll();
      expect(layer.active).toBe(false);
      expect(names(layer)).toEqual([]);
    }
    expect(file.syncs).toBe(1);
    expect([...file.locks.values()].every(({ size }) => size === 0)).toBe(true);
    await expect(disk.write(0, new Uint8Array([2]))).rejects.toMatchObject({ code: 'STERNA_ERR_BLOCK_INACTIVE' });
    await expect(disk.discard(0, 1)).rejects.toMatchObject({ errno: 'EPERM' });
    await disk.read(0, new Uint8Array(1));
    for (let i = 0; i < 2; i++) {
      await layer.activateAll();
      expect(layer.active).toBe(true);
      expect(names(layer)).toEqual(['f', 'b', 'r']);
    }
    await disk.write(0, new Uint8Array([3]));
    expect(file.bytes[0]).toBe(3);
  });

  it('of one node takes what is below it along, unless another needs that', async () => {
    const { layer } = testLayer();
    await layer.add({ driver: 'null-co', 'node-name': 'n' });
    await layer.add({ driver: 'raw', 'node-name': 'a', file: 'n' });
    await layer.add({ driver: 'raw', 'node-name': 'b', file: 'n' });
    await layer.setActive('a', false);
    expect(names(layer)).toEqual(['n', 'b']);
    expect(layer.active).toBe(false);
    await layer.setActive('b', false);
    expect(names(layer)).toEqual([]);
    await layer.setActive('a', true);
    expect(names(layer)).toEqual(['n', 'a']);
    await layer.setActive(undefined, true);
    expect(layer.active).toBe(true);
    await expect(layer.setActive('nobody', true)).rejects.toMatchObject({ code: 'STERNA_ERR_BLOCK_NODE' });
  });

  it('stays when the flush fails, until it has been tried again', async () => {
    const images = new MemoryImages();
    const file = images.file('d', 4096);
    const { layer } = testLayer({ images });
    await layer.add({ driver: 'null-co', 'node-name': 'other' });
    await layer.add(stack('d', failNth('flush_to_disk', 1)));
    const disk = layer.attach('r', { id: 'd0' });
    await disk.write(0, new Uint8Array([1]));
    await expect(layer.inactivateAll()).rejects.toMatchObject({
      code: 'STERNA_ERR_BLOCK_ACTIVATION',
      message: expect.stringMatching(/node 'r' cannot be given up: blkdebug 'b' lets this flush fail with EIO/),
    });
    // Whatever is still active, nobody may think that all is.
    expect(layer.active).toBe(false);
    expect(file.syncs).toBe(0);
    await layer.activateAll();
    expect(layer.active).toBe(true);
    await disk.write(0, new Uint8Array([2]));
    await layer.inactivateAll();
    expect(file).toMatchObject({ syncs: 1 });
    expect(file.bytes[0]).toBe(2);
  });

  it('is not taken from another process, and nothing is taken by halves', async () => {
    const images = new MemoryImages();
    images.file('d', 4096);
    images.file('e', 4096);
    const make = async (ownsDisks: boolean) => {
      const { layer } = testLayer({ images, ownsDisks });
      await layer.add({ driver: 'raw', 'node-name': 'e', file: { driver: 'file', filename: 'e' } });
      await layer.add(stack('d'));
      return { layer, disks: [layer.attach('e', { id: 'd1' }), layer.attach('r', { id: 'd0' })] };
    };
    const source = await make(true);
    const destination = await make(false);
    expect(destination.layer.active).toBe(false);
    await source.disks[1]!.write(0, new Uint8Array([1]));
    // Half of it is free.
    await source.layer.setActive('e', false);
    await expect(destination.layer.activateAll()).rejects.toMatchObject({ code: 'STERNA_ERR_BLOCK_ACTIVATION' });
    expect(names(destination.layer)).toEqual([]);
    await source.layer.inactivateAll();
    await destination.layer.activateAll();
    await expect(source.layer.activateAll()).rejects.toThrow(/another process/);
    expect(names(source.layer)).toEqual([]);
  });

  it('finds an image that has become longer or shorter', async () => {
    const images = new MemoryImages();
    const file = images.file('d', 4096);
    const { layer } = testLayer({ images, ownsDisks: false });
    await layer.add({ driver: 'raw', 'node-name': 'r', file: { driver: 'file', filename: 'd' } });
    await layer.add({
      driver: 'raw',
      'node-name': 's',
      size: 4096,
      'read-only': true,
      file: { driver: 'file', filename: 'd' },
    });
    file.bytes = new Uint8Array(8192);
    await layer.activateAll();
    expect(layer.graph.get('r').driver.length).toBe(8192);
    await layer.inactivateAll();
    file.bytes = new Uint8Array(512);
    await expect(layer.activateAll()).rejects.toThrow(/no longer inside/);
    expect(names(layer)).toEqual([]);
  });

  it('waits for what is under way, and lets what comes meanwhile wait', async () => {
    const images = new MemoryImages();
    const file = images.file('d', 4096);
    const { layer } = testLayer({ images });
    await layer.add(stack('d'));
    const disk = layer.attach('r', { id: 'd0' });
    const writes = Array.from({ length: 20 }, (_, i) => disk.write(i * 100, new Uint8Array(100).fill(i + 1)));
    await layer.inactivateAll();
    await Promise.all(writes);
    expect(file.bytes[1999]).toBe(20);
    expect(disk.inFlight).toBe(0);
  });

  it('has one owner whatever two processes try, and what one wrote the other reads', async () => {
    const action = fc.record({ side: fc.constantFrom(0, 1), what: fc.constantFrom('take', 'give', 'write', 'fail') });
    await fc.assert(
      fc.asyncProperty(fc.array(action, { maxLength: 25 }), async (actions) => {
        const images = new MemoryImages();
        const file = images.file('d', 4096);
        const sides = await Promise.all(
          [true, false].map(async (ownsDisks) => {
            const { layer } = testLayer({ images, ownsDisks });
            await layer.add({ driver: 'raw', 'node-name': 'r', file: { driver: 'file', filename: 'd' } });
            return { layer, disk: layer.attach('r', { id: 'd0' }) };
          }),
        );
        let written = 0;
        for (const [step, { side, what }] of actions.entries()) {
          const { layer, disk } = sides[side]!;
          const wasActive = layer.graph.get('r').active;
          if (what === 'take') await layer.activateAll().catch(() => {});
          else if (what === 'give') await layer.inactivateAll().catch(() => {});
          else if (what === 'write') {
            const done = await disk.write(0, new Uint8Array([step + 1])).then(
              () => true,
              () => false,
            );
            expect(done).toBe(wasActive);
            if (done) written = step + 1;
          } else {
            file.failure = 'EIO';
            await layer.inactivateAll().catch(() => {});
            file.failure = undefined;
          }
          expect(sides.filter(({ layer: { graph } }) => graph.get('r').active).length).toBeLessThanOrEqual(1);
          const into = new Uint8Array(1);
          await disk.read(0, into);
          expect(into[0]).toBe(written);
        }
      }),
      { numRuns: 100 },
    );
  });
});

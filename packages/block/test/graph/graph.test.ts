import { type BlockDriver, defineBlockDriver } from '@sterna/core';
import { describe, expect, it } from 'vitest';
import { testLayer } from '../support/layer.ts';
import { MemoryImages } from '../support/memory-images.ts';

describe('the graph', () => {
  it.each([
    [{ driver: 'null-co' }, /'node-name' must be specified/],
    [{ driver: 'nul-co', 'node-name': 'x' }, /did you mean 'null-co'/],
    [{ 'node-name': 'x' }, /'driver' is missing/],
    [{ driver: 'null-co', 'node-name': '9x' }, /Invalid node-name: '9x'/],
    [{ driver: 'null-co', 'node-name': 'x'.repeat(32) }, /Invalid node-name/],
    [{ driver: 'null-co', 'node-name': 'n' }, /Duplicate nodes with node-name='n'/],
    [{ driver: 'null-co', 'node-name': 'x', sise: 1 }, /no option 'sise'; did you mean 'size'/],
    [{ driver: 'null-co', 'node-name': 'x', size: '1' }, /not an integer/],
    [{ driver: 'null-co', 'node-name': 'x', cache: { direct: true } }, /'cache.direct=on' is not supported/],
    [{ driver: 'null-co', 'node-name': 'x', 'detect-zeroes': 'unmap' }, /needs 'discard=unmap'/],
    [{ driver: 'raw', 'node-name': 'x' }, /'file' is missing/],
    [{ driver: 'raw', 'node-name': 'x', file: 'm' }, /Failed to find node with node-name='m'/],
    [{ driver: 'raw', 'node-name': 'x', file: 5 }, /not an object of options/],
    [{ driver: 'raw', 'node-name': 'x', file: 'x' }, /Failed to find node/],
    [{ driver: 'raw', 'node-name': 'x', file: { driver: 'null-co', 'node-name': 'x' } }, /Duplicate nodes/],
    [{ driver: 'raw', 'node-name': 'x', file: { driver: 'file', filename: 'gone' } }, /Could not open 'gone': no file/],
    [{ driver: 'raw', 'node-name': 'x', offset: 4097, file: 'n' }, /not inside the 4096 bytes of node 'n'/],
    [{ driver: 'raw', 'node-name': 'x', size: 100, file: 'n' }, /multiple of 512/],
    [{ driver: 'file', 'node-name': 'x', filename: 'd', aio: 'native' }, /'aio=native' is not supported/],
    [{ driver: 'blkdebug', 'node-name': 'x', image: 'n', align: 3 }, /power of two/],
    [{ driver: 'blkdebug', 'node-name': 'x', image: 'n', 'inject-error': [{ event: 'reed' }] }, /element 0\.event/],
    [{ driver: 'blkdebug', 'node-name': 'x', image: 'n', 'inject-error': {} }, /not a list/],
  ])('refuses %j and leaves nothing behind', async (spec, message) => {
    const images = new MemoryImages();
    const file = images.file('d', 512);
    const { layer } = testLayer({ images });
    await layer.add({ driver: 'null-co', 'node-name': 'n', size: 4096 });
    await expect(layer.add(spec)).rejects.toThrow(message);
    await layer.graph.closed();
    expect(layer.graph.nodes.map(({ nodeName }) => nodeName)).toEqual(['n']);
    expect(file.opened).toBe(0);
  });

  it('keeps a node while it is used, and ends those made along with it', async () => {
    const images = new MemoryImages();
    const file = images.file('d', 4096);
    const { layer } = testLayer({ images });
    await layer.add({ driver: 'raw', 'node-name': 'r', file: { driver: 'file', filename: 'd', 'node-name': 'f' } });
    await expect(layer.delete('f')).rejects.toThrow(/Node f is in use by node 'r' \(as its 'file'\)/);
    const disk = layer.attach('r', { id: 'd0' });
    await expect(layer.delete('r')).rejects.toThrow(/Node r is in use by device 'd0'/);
    await disk.write(0, new Uint8Array([1]));
    disk.detach();
    await layer.delete('r');
    expect(layer.graph.nodes).toEqual([]);
    expect(file).toMatchObject({ opened: 0, syncs: 1 });
    await expect(layer.delete('r')).rejects.toMatchObject({ code: 'STERNA_ERR_BLOCK_NODE' });
  });

  it('opens read-only what may be, and says so', async () => {
    const images = new MemoryImages();
    images.file('d', 512).readOnly = true;
    const { layer } = testLayer({ images });
    const below = { driver: 'file', filename: 'd' };
    await expect(layer.add({ driver: 'raw', 'node-name': 'r', file: below })).rejects.toThrow(/permission denied/);
    await layer.add({ driver: 'raw', 'node-name': 'r', 'auto-read-only': true, file: below });
    expect(layer.graph.get('r').readOnly).toBe(true);
    expect(layer.attach('r', { id: 'd0' }).readOnly).toBe(true);
  });

  it('takes drivers of plugins: one more descriptor', async () => {
    const rot13 = defineBlockDriver({
      name: 'reversed',
      kind: 'filter',
      description: 'Bits the other way round',
      children: { file: 'required' },
      open(_, node): BlockDriver {
        const file = node.child('file');
        const flip = (bytes: Uint8Array) => bytes.map((byte) => byte ^ 0xff);
        return {
          get length() {
            return file.length;
          },
          async read(offset, into) {
            await file.read(offset, into);
            into.set(flip(into));
          },
          write: (offset, bytes) => file.write(offset, flip(bytes)),
          info: () => ({}),
        };
      },
    });
    const images = new MemoryImages();
    const file = images.file('d', 1024);
    const { layer } = testLayer({ images, drivers: [rot13] });
    await layer.add({ driver: 'reversed', 'node-name': 'r', file: { driver: 'file', filename: 'd' } });
    const disk = layer.attach('r', { id: 'd0' });
    await disk.writeZeroes(0, 1024);
    expect(file.bytes[1023]).toBe(0xff);
    const into = new Uint8Array(4);
    await disk.read(1020, into);
    expect([...into]).toEqual([0, 0, 0, 0]);
    expect(layer.graph.get('r').filename).toBe('json:{"driver":"reversed","file":{"driver":"file","filename":"d"}}');
  });

  it('lets a fast request not pass one that it overlaps with a read-modify-write', async () => {
    const images = new MemoryImages();
    const file = images.file('d', 8192);
    const { layer } = testLayer({ images });
    await layer.add({
      driver: 'blkdebug',
      'node-name': 'n',
      align: 4096,
      image: { driver: 'file', filename: 'd' },
    });
    const disk = layer.attach('n', { id: 'd0' });
    await Promise.all([
      disk.write(0, new Uint8Array(100).fill(1)),
      disk.write(100, new Uint8Array(100).fill(2)),
      disk.write(200, new Uint8Array(5000).fill(3)),
    ]);
    expect([0, 99, 100, 199, 200, 5199, 5200].map((at) => file.bytes[at])).toEqual([1, 1, 2, 2, 3, 3, 0]);
  });

  it('changes lengths, and tells devices', async () => {
    const images = new MemoryImages();
    const file = images.file('d', 1000);
    const { layer } = testLayer({ images });
    await layer.add({ driver: 'raw', 'node-name': 'r', offset: 512, file: { driver: 'file', filename: 'd' } });
    const disk = layer.attach('r', { id: 'd0' });
    expect(disk.length).toBe(512);
    const lengths: number[] = [];
    disk.onResize(() => lengths.push(disk.length));
    await layer.resize(layer.resolve({ device: 'd0' }), 2048);
    expect(file.bytes.length).toBe(2560);
    expect(lengths.at(-1)).toBe(2048);
    await expect(disk.truncate(1)).rejects.toMatchObject({ code: 'STERNA_ERR_BLOCK_PERMISSION' });
    await layer.add({ driver: 'null-co', 'node-name': 'z', size: 512 });
    await layer.add({ driver: 'raw', 'node-name': 'y', size: 512, file: 'z' });
    await expect(layer.resize(layer.resolve({ nodeName: 'y' }), 512)).rejects.toThrow(/fixed size/);
    await expect(layer.resize(layer.resolve({ nodeName: 'z' }), -1)).rejects.toThrow(/no length/);
  });
});

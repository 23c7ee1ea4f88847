import { BLOCK_PERMISSION } from '@sterna/core';
import { describe, expect, it } from 'vitest';
import { testLayer } from '../support/layer.ts';
import { MemoryImages } from '../support/memory-images.ts';

async function twoNodes() {
  const images = new MemoryImages();
  images.file('d', 8192);
  const { layer } = testLayer({ images });
  await layer.add({ driver: 'file', 'node-name': 'f', filename: 'd' });
  await layer.add({ driver: 'raw', 'node-name': 'a', file: 'f' });
  await layer.add({ driver: 'raw', 'node-name': 'b', file: 'f' });
  return layer;
}

describe('permissions', () => {
  it('of users that do not go together name both of them, and change nothing', async () => {
    const layer = await twoNodes();
    layer.attach('a', { id: 'd0' });
    expect(() => layer.attach('b', { id: 'd1' })).toThrow(
      expect.objectContaining({
        code: 'STERNA_ERR_BLOCK_PERMISSION',
        message: expect.stringMatching(/node 'f'.*node '[ab]' \(as its 'file'\).*'write'.*node '[ab]'/),
      }),
    );
    expect(() => layer.attach('a', { id: 'd1' })).toThrow(
      /node 'a'.*device 'd1' needs 'write'.*device 'd0'|node 'a'.*d0/,
    );
    expect(layer.backends.map(({ device }) => device)).toEqual(['d0']);
    expect(layer.graph.get('b').parents.size).toBe(0);
    expect(layer.graph.get('f').cumulative().perm).toBe(BLOCK_PERMISSION.consistentRead | BLOCK_PERMISSION.write);
  });

  it('go together when both share, and come back when a user goes', async () => {
    const layer = await twoNodes();
    const one = layer.attach('a', { id: 'd0', shareRw: true });
    const two = layer.attach('b', { id: 'd1', shareRw: true });
    await one.write(0, new Uint8Array(512).fill(7));
    const into = new Uint8Array(512);
    await two.read(0, into);
    expect(into[511]).toBe(7);
    one.detach();
    two.detach();
    expect(layer.graph.get('f').cumulative().perm).toBe(0);
    expect(() => layer.attach('a', { id: 'd2' })).not.toThrow();
  });

  it('to write are refused for a read-only node, by its name and its user', async () => {
    const images = new MemoryImages();
    images.file('d', 512);
    const { layer } = testLayer({ images });
    await layer.add({ driver: 'raw', 'node-name': 'a', file: { driver: 'file', filename: 'd', 'read-only': true } });
    await layer.add({ driver: 'raw', 'node-name': 'b', 'read-only': true, file: { driver: 'file', filename: 'd' } });
    const disk = layer.attach('b', { id: 'd0' });
    expect(disk.readOnly).toBe(true);
    await expect(disk.write(0, new Uint8Array(1))).rejects.toMatchObject({ code: 'STERNA_ERR_BLOCK_PERMISSION' });
    await expect(layer.resize(layer.graph.get('a'), 1024)).rejects.toThrow(/node 'a' is read-only.*block_resize/);
  });

  it('reach other processes as locks, and their locks reach us', async () => {
    const images = new MemoryImages();
    images.file('d', 512);
    const make = async (name: string) => {
      const { layer } = testLayer({ images });
      await layer.add({ driver: 'raw', 'node-name': name, file: { driver: 'file', filename: 'd' } });
      return layer;
    };
    const [one, two] = [await make('a'), await make('b')];
    const disk = one.attach('a', { id: 'd0' });
    expect(() => two.attach('b', { id: 'd1' })).toThrow(
      expect.objectContaining({
        code: 'STERNA_ERR_BLOCK_LOCKED',
        message: expect.stringMatching(/'d'.*share 'write'/),
      }),
    );
    expect(two.graph.get('b').parents.size).toBe(0);
    expect(() => two.attach('b', { id: 'd1', readOnly: true })).toThrow(/has the permission to 'write'/);
    disk.detach();
    const reader = two.attach('b', { id: 'd1', readOnly: true });
    expect(() => one.attach('a', { id: 'd0' })).toThrow(/does not share 'write'/);
    reader.detach();
    expect(() => one.attach('a', { id: 'd0' })).not.toThrow();
  });

  it('may be shared by force when the node only reads', async () => {
    const images = new MemoryImages();
    images.file('d', 512);
    const one = testLayer({ images }).layer;
    const two = testLayer({ images }).layer;
    await one.add({ driver: 'raw', 'node-name': 'a', file: { driver: 'file', filename: 'd' } });
    one.attach('a', { id: 'd0', shareRw: true });
    await two.add({
      driver: 'raw',
      'node-name': 'b',
      'read-only': true,
      'force-share': true,
      file: { driver: 'file', filename: 'd' },
    });
    expect(() => two.attach('b', { id: 'd1' })).not.toThrow();
    await expect(two.add({ driver: 'null-co', 'node-name': 'c', 'force-share': true })).rejects.toThrow(/read-only=on/);
  });
});

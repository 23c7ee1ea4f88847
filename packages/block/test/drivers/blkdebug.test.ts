import { BlkdebugRules, failNth, type InjectError } from '@sterna/block';
import { describe, expect, it } from 'vitest';
import { testLayer } from '../support/layer.ts';

const rule = (event: string, more: Partial<InjectError> = {}): InjectError => ({
  event,
  state: 0,
  iotype: undefined,
  errno: 5,
  sector: undefined,
  once: false,
  immediately: false,
  ...more,
});

describe('rules of blkdebug', () => {
  it('wait for their event, and stay effective until another one makes others so', () => {
    const rules = new BlkdebugRules([rule('read_aio'), rule('write_aio', { errno: 28, iotype: 'write' })], []);
    expect(rules.check('read', 0, 512)).toBeUndefined();
    rules.event('read_aio');
    rules.event('flush_to_disk');
    expect(rules.check('write', 0, 512)?.errno).toBe(5);
    rules.event('write_aio');
    expect(rules.check('read', 0, 512)).toBeUndefined();
    expect(rules.check('write', 0, 512)?.errno).toBe(28);
  });

  it('with the event none are effective from the start', () => {
    const rules = new BlkdebugRules([rule('none', { iotype: 'flush', once: true })], []);
    expect(rules.check('read', 0, 512)).toBeUndefined();
    expect(rules.check('flush', 0, 512)?.errno).toBe(5);
    expect(rules.check('flush', 0, 512)).toBeUndefined();
  });

  it('of a sector fail every request that touches it, and no other', () => {
    const rules = new BlkdebugRules([rule('none', { sector: 3 })], []);
    expect(rules.check('read', 0, 1536)).toBeUndefined();
    expect(rules.check('read', 2048, 512)).toBeUndefined();
    expect(rules.check('read', 0, 1537)).toBeDefined();
    expect(rules.check('read', 2047, 1)).toBeDefined();
  });

  it('change the state after all rules have seen the old one', () => {
    const steps = [
      { event: 'write_aio', state: 1, newState: 2 },
      { event: 'write_aio', state: 2, newState: 1 },
    ];
    const rules = new BlkdebugRules([rule('write_aio', { state: 2, once: true })], steps);
    rules.event('write_aio');
    expect([rules.state, rules.check('write', 0, 1)]).toEqual([2, undefined]);
    rules.event('write_aio');
    expect(rules.state).toBe(1);
    expect(rules.check('write', 0, 1)).toBeDefined();
  });
});

describe('a blkdebug node', () => {
  it.each([
    ['read_aio', 'read'],
    ['write_aio', 'write'],
    ['flush_to_disk', 'flush'],
    ['pwritev', 'write'],
  ] as const)('lets the third %s fail, and only that', async (event, what) => {
    const { layer } = testLayer();
    await layer.add({
      driver: 'raw',
      'node-name': 'r',
      file: { driver: 'blkdebug', image: { driver: 'null-co', size: 4096 }, ...failNth(event, 3, { errno: 28 }) },
    });
    const disk = layer.attach('r', { id: 'd0' });
    const request = async (): Promise<string> => {
      try {
        if (what === 'read') await disk.read(0, new Uint8Array(512));
        else await disk.write(0, new Uint8Array(512));
        await disk.flush();
        return 'done';
      } catch (error) {
        return (error as { errno: string }).errno;
      }
    };
    const results: string[] = [];
    for (let i = 0; i < 5; i++) results.push(await request());
    expect(results).toEqual(['done', 'done', 'ENOSPC', 'done', 'done']);
  });

  it('lets zeroing and discarding fail by name, and writes zeroes where the one below has no other way', async () => {
    const { layer } = testLayer();
    const inject = [
      { event: 'none', iotype: 'discard', once: true },
      { event: 'none', iotype: 'write-zeroes', errno: 95, immediately: true },
      { event: 'none', iotype: 'write', errno: 12345 },
    ];
    await layer.add({
      driver: 'blkdebug',
      'node-name': 'n',
      discard: 'unmap',
      image: { driver: 'null-co' },
      'inject-error': inject,
    });
    const disk = layer.attach('n', { id: 'd0' });
    await expect(disk.discard(0, 512)).rejects.toMatchObject({ errno: 'EIO' });
    await expect(disk.discard(0, 512)).resolves.toBeUndefined();
    await expect(disk.writeZeroes(0, 512, { noFallback: true })).rejects.toMatchObject({ errno: 'ENOTSUP' });
    await expect(disk.writeZeroes(0, 512)).rejects.toMatchObject({ errno: 'E12345' });
  });
});

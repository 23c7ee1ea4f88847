import type { EventLoop } from '@sterna/core';
import { describe, expect, it } from 'vitest';
import { testLayer } from '../support/layer.ts';

/** Time that passes when the test says so. */
class ManualLoop implements EventLoop {
  readonly #timers = new Set<{ at: number; callback: () => void }>();
  now = 0;
  soon(callback: () => void): void {
    setImmediate(callback);
  }
  after(ms: number, callback: () => void): { cancel(): void } {
    const timer = { at: this.now + ms, callback };
    this.#timers.add(timer);
    return { cancel: () => void this.#timers.delete(timer) };
  }
  get armed(): number {
    return this.#timers.size;
  }
  async pass(ms: number): Promise<void> {
    // What was begun just now arms its timers first.
    await new Promise<void>((resolve) => setImmediate(resolve));
    this.now += ms;
    for (const timer of [...this.#timers]) {
      if (timer.at > this.now) continue;
      this.#timers.delete(timer);
      timer.callback();
    }
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
}

async function slowDisk() {
  const loop = new ManualLoop();
  const test = testLayer({ loop });
  await test.layer.add({ driver: 'null-co', 'node-name': 'n', 'latency-ns': 5_000_000 });
  return { ...test, loop, disk: test.layer.attach('n', { id: 'd0' }), node: test.layer.graph.get('n') };
}

describe('a device on a disk', () => {
  it('takes as long as the disk, by the injected clock', async () => {
    const { loop, disk } = await slowDisk();
    let done = false;
    const write = disk.write(0, new Uint8Array(512)).then(() => {
      done = true;
    });
    await loop.pass(4.9);
    expect(done).toBe(false);
    await loop.pass(0.2);
    await write;
    expect(loop.armed).toBe(0);
  });

  it('is held back by a drain, in its order, and goes on after it', async () => {
    const { loop, disk, node } = await slowDisk();
    const order: string[] = [];
    const first = disk.write(0, new Uint8Array(1)).then(() => order.push('first'));
    const drained = node.drained(async () => {
      order.push('drained');
      expect(disk.inFlight).toBe(2);
    });
    const second = disk.write(0, new Uint8Array(1)).then(() => order.push('second'));
    const third = disk.write(0, new Uint8Array(1)).then(() => order.push('third'));
    await loop.pass(10);
    await drained;
    await first;
    await loop.pass(10);
    await Promise.all([second, third]);
    expect(order).toEqual(['first', 'drained', 'second', 'third']);
  });

  it('may give up a request that waits, for a drain or for the disk', async () => {
    const { loop, disk, node } = await slowDisk();
    const stop = new AbortController();
    const { signal } = stop;
    const running = disk.read(0, new Uint8Array(1), { signal });
    node.drainedBegin();
    const waiting = disk.write(0, new Uint8Array(1), { signal });
    stop.abort();
    await expect(waiting).rejects.toMatchObject({ errno: 'ECANCELED' });
    await expect(running).rejects.toMatchObject({ errno: 'ECANCELED' });
    node.drainedEnd();
    await expect(disk.flush({ signal })).resolves.toBeUndefined();
    await expect(disk.write(0, new Uint8Array(1), { signal })).rejects.toMatchObject({ errno: 'ECANCELED' });
    expect([disk.inFlight, loop.armed]).toEqual([0, 0]);
  });

  it('has only so many requests served at once', async () => {
    const { loop, disk, node } = await slowDisk();
    const all = Array.from({ length: 300 }, () => disk.write(0, new Uint8Array(1)));
    await loop.pass(0);
    expect([disk.inFlight, node.io.tracker.count, loop.armed]).toEqual([300, 256, 256]);
    await loop.pass(5);
    await loop.pass(5);
    await Promise.all(all);
    expect(disk.inFlight).toBe(0);
  });

  it('ends what it has begun before it goes', async () => {
    const { loop, disk, layer, node } = await slowDisk();
    const write = disk.write(0, new Uint8Array(1));
    disk.detach();
    await expect(disk.read(0, new Uint8Array(1))).rejects.toMatchObject({ errno: 'ENOMEDIUM' });
    expect(node.parents.size).toBe(1);
    await loop.pass(5);
    await write;
    expect(node.parents.size).toBe(0);
    expect(layer.backends).toEqual([]);
    expect(() => layer.attach('n', { id: 'd0' })).not.toThrow();
  });
});

describe('a request that failed', () => {
  it.each([
    ['werror', undefined, 'ENOSPC', 'stop'],
    ['werror', undefined, 'EIO', 'report'],
    ['werror', 'ignore', 'EIO', 'ignore'],
    ['werror', 'stop', 'EIO', 'stop'],
    ['rerror', undefined, 'EIO', 'report'],
    ['rerror', 'stop', 'EIO', 'stop'],
  ] as const)('%s=%s: %s means %s', async (key, policy, errno, action) => {
    const test = testLayer();
    const { layer } = test;
    const event = key === 'werror' ? 'write' : 'read';
    await layer.add({
      driver: 'blkdebug',
      'node-name': 'n',
      image: { driver: 'null-co' },
      'inject-error': [{ event: 'none', errno: errno === 'EIO' ? 5 : 28 }],
    });
    const disk = layer.attach('n', { id: 'd0', ...(policy === undefined ? {} : { [key]: policy }) });
    const error = await (event === 'write' ? disk.write(0, new Uint8Array(1)) : disk.read(0, new Uint8Array(1))).catch(
      (caught: unknown) => caught,
    );
    expect(disk.errorAction(event, error)).toBe(action);
    expect(test.stops ?? 0).toBe(action === 'stop' ? 1 : 0);
    expect(test.events).toMatchObject([
      { name: 'BLOCK_IO_ERROR', data: { operation: event, action, nospace: errno === 'ENOSPC', 'node-name': 'n' } },
    ]);
    expect(layer.backends[0]?.ioStatus).toBe(action !== 'stop' ? 'ok' : errno === 'EIO' ? 'failed' : 'nospace');
    layer.machineRuns();
    expect(layer.backends[0]?.ioStatus).toBe('ok');
  });
});

describe('a drive', () => {
  it('has one device at a time, and the policies that the device leaves to it', async () => {
    const { layer } = testLayer();
    const drive = { id: 'dr', node: { driver: 'null-co', size: '1M' }, rerror: 'auto', werror: 'stop' } as const;
    await layer.addDrive(drive);
    await expect(layer.addDrive(drive)).rejects.toThrow(/a drive with the name 'dr'/);
    await expect(layer.add({ driver: 'null-co', 'node-name': 'dr' })).rejects.toThrow(/a drive with the name 'dr'/);
    const disk = layer.attach('dr', { id: 'd0', werror: 'auto' });
    expect([disk.length, disk.name, disk.errorAction('write', new Error('?'))]).toEqual([2 ** 20, 'dr', 'stop']);
    expect(() => layer.attach('dr', { id: 'd1' })).toThrow(/'dr' is in use by device 'd0'/);
    expect(() => layer.attach('drr', { id: 'd1' })).toThrow(/no drive or node 'drr'; did you mean 'dr'/);
    disk.detach();
    expect(layer.attach('dr', { id: 'd1' }).length).toBe(2 ** 20);
    await layer.close();
    expect(layer.graph.nodes).toEqual([]);
  });
});

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BLOCKS, Pair } from './support/pair.ts';

/** A small deterministic generator. */
function random(seed: number): (limit: number) => number {
  let state = seed >>> 0 || 1;
  return (limit) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % limit;
  };
}

/** Lets the source's guest write to random places while it runs. */
function dirty(pair: Pair, seed: number, writesPerTick: number, span = 4 * 2 ** 20): void {
  const next = random(seed);
  const base = pair.source.block('fake.ram').hostOffset;
  pair.loop.onTick = () => {
    for (let i = 0; i < writesPerTick && pair.source.runState === 'running'; i++) {
      pair.source.guestWrite(base + next(span), next(256));
    }
  };
}

function expectEqualMachines({ source, destination }: Pair): void {
  for (const [name] of BLOCKS) expect(Buffer.compare(destination.content(name), source.content(name))).toBe(0);
  expect(destination.counter).toEqual(source.counter);
}

describe('a migration between two machines of one process', () => {
  test('moves RAM and devices of a resting guest', async () => {
    const pair = new Pair();
    const { source, destination } = pair;
    source.guestWrite(source.block('fake.ram').hostOffset + 12345, 7);
    source.guestWrite(source.block('fake.bios').hostOffset + 65535, 9);
    Object.assign(source.counter, { ticks: 9, deadline: 123n });
    source.counter.log.set([1, 2, 3, 0xffff_ffff]);
    await pair.migrate();
    expectEqualMachines(pair);
    expect([source.runState, destination.runState]).toEqual(['postmigrate', 'running']);
  });

  test('announces states in the order of QEMU', async () => {
    const pair = new Pair();
    await pair.migrate();
    expect(pair.source.statuses).toEqual(['setup', 'active', 'device', 'completed']);
    expect(pair.destination.statuses).toEqual(['setup', 'active', 'completed']);
    const names = pair.source.events.map(({ event }) => event);
    expect(names.slice(0, 3)).toEqual(['MIGRATION', 'MIGRATION_PASS', 'MIGRATION']);
    expect(names.indexOf('STOP')).toBeGreaterThan(0);
    expect(pair.destination.events.filter(({ event }) => event === 'RESUME')).toHaveLength(1);
  });

  test('loses no write of a guest that goes on writing', async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1 }), fc.integer({ min: 1, max: 20 }), async (seed, writes) => {
        const pair = new Pair();
        dirty(pair, seed, writes);
        await pair.migrate();
        expectEqualMachines(pair);
      }),
      { numRuns: 15 },
    );
  });

  test('stops the guest for far less than the limit when it can converge', async () => {
    // 100 MB/s, and a guest that dirties 20 pages each ms (80 MB/s) over 1 MiB.
    const pair = new Pair({ bytesPerMs: 100_000 });
    dirty(pair, 5, 2, 2 ** 20);
    await pair.migrate();
    expectEqualMachines(pair);
    expect(pair.out.query().downtime).toBeLessThan(60);
  });

  test('goes round until it converges, and then only', async () => {
    const pair = new Pair({ bytesPerMs: 5000 });
    dirty(pair, 3, 20);
    pair.out.setParameters({ 'downtime-limit': 1 });
    const both = pair.start();
    await expect(pair.loop.run(Promise.all([both.out, both.in]), 4000)).rejects.toThrow('simulated');
    expect(pair.out.query()).toMatchObject({ status: 'active' });
    const passes = pair.source.events.filter(({ event }) => event === 'MIGRATION_PASS').length;
    expect(passes).toBeGreaterThan(1);
    pair.out.setParameters({ 'downtime-limit': 30_000, 'max-bandwidth': 0 });
    await pair.loop.run(Promise.all([both.out, both.in]), 60_000);
    expectEqualMachines(pair);
  });

  test('keeps to max-bandwidth', async () => {
    const pair = new Pair();
    const { source } = pair;
    for (let page = 0; page < 1024; page++) source.guestWrite(source.block('fake.ram').hostOffset + page * 4096, 1);
    pair.out.setParameters({ 'max-bandwidth': 2 * 2 ** 20, 'downtime-limit': 1 });
    await pair.migrate();
    const info = pair.out.query();
    expect(info['total-time']).toBeGreaterThan(1500);
    expect(info.ram).toMatchObject({ normal: 1024, duplicate: 16 + 2, remaining: 0, 'page-size': 4096 });
  });

  test('takes over the size of resizable blocks', async () => {
    const destinationBlocks = BLOCKS.map(
      ([name, size, max]) => [name, name === 'tables' ? 4096 : size, max] as [string, number, number?],
    );
    const pair = new Pair({ destinationBlocks });
    pair.source.guestWrite(pair.source.block('tables').hostOffset + 8000, 3);
    await pair.migrate();
    expectEqualMachines(pair);
    expect(pair.destination.block('tables').usedLength).toBe(8192);
  });

  test('clears pages that are zero at the source and not at the destination', async () => {
    const pair = new Pair();
    const { hostOffset } = pair.destination.block('fake.ram');
    pair.destination.u8.fill(0xaa, hostOffset, hostOffset + 10_000);
    pair.destination.markWritten(hostOffset, 10_000);
    await pair.migrate();
    expectEqualMachines(pair);
  });

  test('keeps a stopped guest stopped', async () => {
    const pair = new Pair();
    pair.source.runState = 'paused';
    await pair.migrate();
    expect([pair.source.runState, pair.destination.runState]).toEqual(['postmigrate', 'paused']);
    expect(pair.source.events.map(({ event }) => event)).not.toContain('STOP');
  });

  test('holds an arriving guest when told to', async () => {
    const pair = new Pair();
    pair.in.autostart = false;
    await pair.migrate();
    expect(pair.destination.runState).toBe('paused');
  });

  test('waits before the switchover until told to go on', async () => {
    const pair = new Pair();
    pair.out.setCapabilities([{ capability: 'pause-before-switchover', state: true }]);
    const both = pair.start();
    pair.loop.after(2000, () => {
      expect(pair.out.query().status).toBe('pre-switchover');
      expect(pair.source.runState).toBe('finish-migrate');
      pair.out.continue('pre-switchover');
    });
    await pair.loop.run(Promise.all([both.out, both.in]));
    expect(pair.source.statuses).toEqual(['setup', 'active', 'pre-switchover', 'device', 'completed']);
  });

  test('uses a return path when both sides want it', async () => {
    const pair = new Pair();
    for (const controller of [pair.out, pair.in])
      controller.setCapabilities([{ capability: 'return-path', state: true }]);
    await pair.migrate();
    expect([pair.source.runState, pair.destination.runState]).toEqual(['postmigrate', 'running']);
  });

  test('a second machine can be moved on, and back', async () => {
    const pair = new Pair();
    await pair.migrate();
    expect(() => pair.out.checkMigrate()).toThrow('moved away');
    expect(() => pair.in.checkMigrate()).not.toThrow();
  });
});

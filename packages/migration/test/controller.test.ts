import { describe, expect, test } from 'vitest';
import { MigrationController } from '../src/controller.ts';
import type { MigrationChannel } from '../src/transport/channel.ts';
import { FakeHost } from './support/fake-host.ts';
import { BLOCKS, Pair } from './support/pair.ts';
import { settle } from './support/settle.ts';
import { SimLoop } from './support/sim-loop.ts';

/** A machine whose connections a test makes. */
function alone(connect: (signal: AbortSignal) => Promise<MigrationChannel>) {
  const loop = new SimLoop();
  const host = new FakeHost('running', BLOCKS);
  const transport = {
    connect: (_: unknown, signal: AbortSignal) => connect(signal),
    listen: async () => Promise.reject(new Error('nobody listens')),
  };
  const controller = new MigrationController(host, { transport, pace: loop.pace });
  controller.setCapabilities([{ capability: 'events', state: true }]);
  return { loop, host, controller };
}

describe('a migration that cannot begin', () => {
  test('is refused with the state that stands in its way', async () => {
    const pair = new Pair();
    pair.source.blockers = ['a dump', 'a bus'];
    expect(() => pair.out.checkMigrate()).toThrow(
      expect.objectContaining({ code: 'STERNA_ERR_MIGRATION_BLOCKED', message: 'migration is blocked: a dump; a bus' }),
    );
    expect(pair.out.query()).toEqual({ 'blocked-reasons': ['a dump', 'a bus'] });
    pair.source.blockers = [];
    expect(() => pair.in.checkMigrate()).toThrow('waits for an incoming migration');
    const both = pair.start();
    expect(() => pair.out.checkMigrate()).toThrow('in progress already');
    await settle(pair, both);
    expect(() => pair.out.checkMigrate()).toThrow('moved away');
  });

  test('because nobody is there fails, keeps the reason, and can be tried again', async () => {
    const { loop, host, controller } = alone(async () => Promise.reject(new Error('refused')));
    await expect(loop.run(controller.migrate('tcp:nowhere:1'))).rejects.toThrow('refused');
    expect(host.statuses).toEqual(['setup', 'failing', 'failed']);
    expect(controller.query()).toEqual({ status: 'failed', 'error-desc': 'refused' });
    expect(() => controller.checkMigrate()).not.toThrow();
    await expect(loop.run(controller.migrate('tcp:nowhere:1'))).rejects.toThrow('refused');
  });

  test('because of what is no error at all says so', async () => {
    const { loop, controller } = alone(() => Promise.reject('a word'));
    await expect(loop.run(controller.migrate('tcp:nowhere:1'))).rejects.toMatchObject({
      code: 'STERNA_ERR_TRANSPORT',
      message: 'a word',
    });
  });
});

describe('a cancel', () => {
  test('while it connects ends it at once', async () => {
    const { loop, host, controller } = alone(
      (signal) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error))),
    );
    const out = controller.migrate('tcp:slow:1');
    expect(controller.query()).toEqual({ status: 'setup' });
    expect(() => controller.setCapabilities([])).toThrow('in progress');
    controller.cancel();
    controller.cancel();
    await expect(loop.run(out)).rejects.toMatchObject({ code: 'STERNA_ERR_MIGRATION_CANCELLED' });
    expect(host.statuses).toEqual(['setup', 'cancelling', 'cancelled']);
    expect(controller.query()).toEqual({ status: 'cancelled' });
  });

  test('of nothing does nothing', () => {
    const pair = new Pair();
    pair.out.cancel();
    pair.out.yank();
    expect(pair.out.query()).toEqual({});
    expect(pair.source.events).toEqual([]);
  });

  test('after the end changes nothing', async () => {
    const pair = new Pair();
    await pair.migrate();
    pair.out.cancel();
    expect(pair.out.query().status).toBe('completed');
  });
});

describe('a yank', () => {
  test('breaks both directions of a migration', async () => {
    const pair = new Pair({ bytesPerMs: 1000 });
    pair.source.guestWrite(pair.source.block('fake.ram').hostOffset, 1);
    pair.out.setParameters({ 'max-bandwidth': 1000, 'downtime-limit': 1 });
    const both = pair.start();
    pair.loop.after(300, () => pair.in.yank());
    const { in: error } = await settle(pair, both);
    expect(error?.message).toContain('broken by yank');
    expect([pair.source.runState, pair.out.query().status]).toEqual(['running', 'failed']);
    const other = new Pair({ bytesPerMs: 1000 });
    other.out.setParameters({ 'max-bandwidth': 1000, 'downtime-limit': 1 });
    const again = other.start();
    other.loop.after(300, () => other.out.yank());
    expect((await settle(other, again)).out?.message).toContain('broken by yank');
  });
});

describe('what a controller says', () => {
  test('figures are there in the states in which QEMU shows them', async () => {
    const pair = new Pair();
    pair.out.setCapabilities([{ capability: 'pause-before-switchover', state: true }]);
    const both = pair.start();
    pair.loop.after(2000, () => {
      expect(pair.out.query()).toMatchObject({ status: 'pre-switchover', 'expected-downtime': expect.any(Number) });
      pair.out.continue('pre-switchover');
    });
    await settle(pair, both);
    const info = pair.out.query();
    expect(info).toMatchObject({ status: 'completed', downtime: expect.any(Number), 'total-time': expect.any(Number) });
    expect(info['expected-downtime']).toBeUndefined();
    expect(pair.in.query()).toEqual({ status: 'completed' });
  });

  test('without the capability there are no events', async () => {
    const pair = new Pair();
    for (const side of [pair.out, pair.in]) side.setCapabilities([{ capability: 'events', state: false }]);
    await pair.migrate();
    expect(pair.source.events).toEqual([{ event: 'STOP' }]);
    expect(pair.destination.events).toEqual([{ event: 'RESUME' }]);
  });

  test('blockers are told while a migration runs, not before and not after', async () => {
    const loop = new SimLoop();
    const host = new FakeHost('running', BLOCKS);
    let migrating = () => true;
    const controller = new MigrationController(
      Object.assign(host, {
        followMigration: (running: () => boolean) => {
          migrating = running;
        },
      }),
      {
        transport: { connect: async () => Promise.reject(new Error('no')), listen: async () => Promise.reject() },
        pace: loop.pace,
      },
    );
    expect(migrating()).toBe(false);
    const out = controller.migrate('tcp:nowhere:1');
    expect([migrating(), controller.migrating]).toEqual([true, true]);
    await expect(loop.run(out)).rejects.toThrow('no');
    expect(migrating()).toBe(false);
  });
});

describe('cont', () => {
  test('of a guest that runs does nothing, of one that stands still takes its disks first', async () => {
    const pair = new Pair();
    await pair.out.cont();
    expect(pair.source.events).toEqual([]);
    await pair.out.stop();
    pair.source.disks = [{ name: 'disk', active: false }];
    await pair.out.cont();
    expect([pair.source.runState, pair.source.disksActive]).toEqual(['running', true]);
  });

  test('does not start a guest that has begun to move while its disks were taken', async () => {
    const pair = new Pair();
    await pair.out.stop();
    pair.source.disks = [{ name: 'disk', active: false }];
    pair.source.faults = { activate: async () => void pair.source.setRunState('finish-migrate') };
    await expect(pair.out.cont()).rejects.toThrow('not finalized yet');
    expect(pair.source.runState).toBe('finish-migrate');
  });
});

import { type LiveHandlers, SternaError, type VmStateTable } from '@sterna/core';
import { describe, expect, test } from 'vitest';
import { TransportError } from '../../src/errors.ts';
import type { StateSection } from '../../src/host.ts';
import type { MigrationChannel } from '../../src/transport/channel.ts';
import { Collector } from '../support/codec.ts';
import { BLOCKS, Pair } from '../support/pair.ts';
import { onBoth, settle } from '../support/settle.ts';

const quiet: LiveHandlers<object> = {
  version: 1,
  saveComplete: () => {},
  loadState: () => {},
};

function live(handlers: Partial<LiveHandlers<object>>): StateSection {
  return { idstr: 'probe', instanceId: 4, vmstate: 'stateless', state: {}, live: { ...quiet, ...handlers } };
}

/** A pair with a device on both sides, of which the source's does something special. */
function withDevice(handlers: Partial<LiveHandlers<object>>, there: Partial<LiveHandlers<object>> = {}): Pair {
  const pair = new Pair();
  pair.source.extra = [live(handlers)];
  pair.destination.extra = [live(there)];
  return pair;
}

function throws(text: string): () => never {
  return () => {
    throw new RangeError(text);
  };
}

describe('prepare', () => {
  test('asks devices, then notifiers, while nothing has been sent', async () => {
    const order: string[] = [];
    const pair = withDevice({ savePrepare: () => void order.push(`prepare ${pair.source.notices.length}`) });
    pair.source.faults = { notify: async () => void order.push(`notify ${pair.out.query().status}`) };
    await settle(pair);
    expect(order).toEqual(['prepare 0', 'notify setup', 'notify completed']);
    expect(pair.source.notices).toEqual(['setup', 'done']);
  });

  test('a device that refuses is named, and nobody else is bothered', async () => {
    const pair = withDevice({ savePrepare: throws('not today') });
    const { out } = await settle(pair);
    expect(out).toMatchObject({
      code: 'STERNA_ERR_DEVICE_STATE',
      message: "section 'probe' instance 4, savePrepare: not today",
    });
    expect(pair.source.statuses).toEqual(['setup', 'failing', 'failed']);
    expect([pair.source.notices, pair.source.runState]).toEqual([[], 'running']);
  });

  test('a notifier that refuses fails the migration, and hears that it failed', async () => {
    const pair = new Pair();
    pair.source.faults = {
      notify: async (type) => (type === 'setup' ? throws('the guest is busy')() : undefined),
    };
    const { out } = await settle(pair);
    expect(out?.message).toBe('the guest is busy');
    expect(pair.source.notices).toEqual(['setup', 'failed']);
    expect(pair.out.query()).toMatchObject({ status: 'failed', 'error-desc': 'the guest is busy' });
    expect(pair.destination.runState).toBe('inmigrate');
  });
});

describe('setup', () => {
  test('that fails is told when the migration is active, as on QEMU', async () => {
    const pair = withDevice({ saveSetup: async () => throws('no log')() });
    const { out } = await settle(pair);
    expect(out?.message).toBe("section 'probe' instance 4, saveSetup: no log");
    expect(pair.source.statuses).toEqual(['setup', 'active', 'failing', 'failed']);
    expect(pair.source.notices).toEqual(['setup', 'failed']);
  });
});

describe('iterate', () => {
  test('a slow device that always has more does not hold the others', async () => {
    const calls: string[] = [];
    const pair = withDevice({
      statePendingEstimate: () => ({ mustPrecopy: calls.length < 100 ? 2 ** 40 : 0, canPostcopy: 0 }),
      saveLiveIterate: async () => {
        calls.push('slow');
        await new Promise<void>((resolve) => pair.loop.after(20, resolve));
        return calls.length < 100 ? 'more' : 'done';
      },
    });
    const other = { ...live({}), idstr: 'other' };
    const saveLiveIterate = () => {
      calls.push('other');
      return 'done' as const;
    };
    pair.source.extra.push({ ...other, live: { ...quiet, saveLiveIterate } });
    pair.destination.extra.push(other);
    expect((await settle(pair)).out).toBeUndefined();
    const runs = calls.join(' ').split('other');
    expect(runs.length).toBeGreaterThan(20);
    expect(Math.max(...runs.map((run) => run.split('slow').length - 1))).toBeLessThanOrEqual(2 * 3);
  });
});

describe('a device that is sent early', () => {
  test('is described and loaded like the others, and left out when it is not needed', async () => {
    const early: VmStateTable<{ value: number; needed: boolean }> = {
      name: 'early',
      version: 1,
      earlySetup: true,
      needed: ({ needed }) => needed,
      fields: ({ u32 }) => [u32('value')],
    };
    for (const needed of [true, false]) {
      const pair = new Pair();
      const [here, there] = [
        { value: 7, needed },
        { value: 0, needed },
      ];
      pair.source.extra = [{ idstr: 'early', instanceId: 0, vmstate: early, state: here }];
      pair.destination.extra = [{ idstr: 'early', instanceId: 0, vmstate: early, state: there }];
      await pair.migrate();
      expect(there.value).toBe(needed ? 7 : 0);
    }
  });
});

/** A device that has to leave the guest before it moves. */
class Primary {
  plugged = true;
  asked = false;
}
const primaryTable: VmStateTable<Primary> = {
  name: 'primary',
  version: 1,
  needed: ({ plugged }) => plugged,
  unplugPending: ({ plugged, asked }) => asked && plugged,
  fields: () => [],
};

describe('a device that is unplugged before the guest moves', () => {
  function failover(unplugsAfterMs: number | undefined) {
    const pair = new Pair();
    const primary = new Primary();
    pair.source.extra = [{ idstr: 'primary', instanceId: 0, vmstate: primaryTable, state: primary }];
    // What a failover device does with its notifier.
    pair.source.faults = {
      notify: async (type) => {
        primary.asked = type === 'setup';
        if (type === 'setup' && unplugsAfterMs !== undefined)
          pair.loop.after(unplugsAfterMs, () => {
            primary.plugged = false;
          });
        if (type === 'failed') primary.plugged = true;
      },
    };
    return { pair, primary };
  }

  test('the migration waits for the guest, and goes without the device', async () => {
    const { pair, primary } = failover(900);
    const both = pair.start();
    pair.loop.after(600, () => {
      expect(pair.out.query()).toEqual({ status: 'wait-unplug' });
      // There it is not: the section must not come.
    });
    expect(await settle(pair, both)).toEqual({ out: undefined, in: undefined });
    expect(pair.source.statuses).toEqual(['setup', 'wait-unplug', 'active', 'device', 'completed']);
    expect(primary.plugged).toBe(false);
    expect(pair.destination.runState).toBe('running');
  });

  test('a cancel waits until the guest is done with it, and the device comes back', async () => {
    const { pair, primary } = failover(3000);
    const both = pair.start();
    pair.loop.after(600, () => pair.out.cancel());
    await settle(pair, both);
    expect(pair.source.statuses).toEqual(['setup', 'wait-unplug', 'cancelling', 'cancelled']);
    expect(pair.loop.nowNs).toBeGreaterThan(2.9e9);
    expect([primary.plugged, pair.source.reports]).toEqual([true, []]);
  });

  test('a guest that never does is given up on', async () => {
    const { pair } = failover(undefined);
    const both = pair.start();
    pair.loop.after(600, () => pair.out.cancel());
    await settle(pair, both);
    expect(pair.source.statuses.at(-1)).toBe('cancelled');
    expect(pair.loop.nowNs).toBeGreaterThan(30e9);
    expect(pair.source.reports).toEqual(['the migration was cancelled while a device was partly unplugged']);
    expect(pair.source.runState).toBe('running');
  });
});

describe('the switchover', () => {
  const disk = () => [{ name: 'disk', active: true }];

  test('gives disks up when the state is `device` and the guest stands still', async () => {
    const pair = new Pair();
    pair.source.disks = disk();
    pair.destination.disks = [{ name: 'disk', active: false }];
    pair.source.faults = {
      inactivate: async () => {
        expect([pair.out.query().status, pair.source.runState]).toEqual(['device', 'finish-migrate']);
      },
    };
    pair.destination.faults = {
      activate: async () => {
        expect([pair.in.query().status, pair.destination.runState]).toEqual(['active', 'inmigrate']);
      },
    };
    await settle(pair);
    expect([pair.source.disksActive, pair.destination.disksActive]).toEqual([false, true]);
  });

  test('a disk that cannot be flushed leaves a source that runs with all of its disks, and can try again', async () => {
    const pair = new Pair();
    pair.source.disks = [...disk(), { name: 'full', active: true }];
    pair.source.faults = { inactivate: async ({ name }) => (name === 'full' ? throws('no space left')() : undefined) };
    const { out } = await settle(pair);
    expect(out?.message).toBe('no space left');
    expect(pair.source.statuses).toEqual(['setup', 'active', 'device', 'failing', 'failed']);
    expect([pair.source.runState, pair.source.disksActive]).toEqual(['running', true]);
    pair.source.faults = {};
    const second = new Pair({ loop: pair.loop });
    const results = [
      second.in.migrateIncomingOverChannel(second.channels[1]),
      pair.out.migrateOverChannel(second.channels[0]),
    ];
    await pair.loop.run(Promise.all(results));
    expect([pair.source.runState, second.destination.runState]).toEqual(['postmigrate', 'running']);
    expect(pair.out.query()['error-desc']).toBeUndefined();
  });

  test('disks that cannot be taken back keep the guest stopped until `cont` gets them', async () => {
    const pair = withDevice({ saveComplete: throws('gone') });
    pair.source.disks = disk();
    let locked = true;
    pair.source.faults = { activate: async () => (locked ? throws('somebody has it')() : undefined) };
    const { out } = await settle(pair);
    expect(out?.message).toContain('gone');
    expect([pair.source.runState, pair.source.disksActive]).toEqual(['paused', false]);
    expect(pair.source.reports).toEqual([
      'the guest stays stopped, its disks could not be taken back: somebody has it',
    ]);
    await expect(pair.out.cont()).rejects.toThrow('somebody has it');
    expect(pair.source.runState).toBe('paused');
    locked = false;
    await pair.out.cont();
    expect([pair.source.runState, pair.source.disksActive]).toEqual(['running', true]);
  });

  test('hooks of devices are named when they fail', async () => {
    const { out } = await settle(withDevice({ switchoverStart: throws('still busy') }));
    expect(out?.message).toBe("section 'probe' instance 4, switchoverStart: still busy");
  });

  test('a guest that was stopped or has powered off meanwhile stays so', async () => {
    const pair = withDevice({
      saveComplete: () => {
        pair.source.setRunState('shutdown');
        throws('gone')();
      },
    });
    await settle(pair);
    expect(pair.source.runState).toBe('shutdown');
    const paused = withDevice({ saveComplete: throws('gone') });
    paused.source.runState = 'paused';
    await settle(paused);
    expect(paused.source.runState).toBe('paused');
    expect(paused.source.events.map(({ event }) => event)).not.toContain('RESUME');
  });

  test('a destination that dies is heard during a pause before it', async () => {
    const pair = new Pair();
    onBoth(pair, 'return-path');
    pair.out.setCapabilities([{ capability: 'pause-before-switchover', state: true }]);
    const both = pair.start();
    pair.loop.after(2000, () => {
      expect(pair.out.query().status).toBe('pre-switchover');
      pair.in.yank();
    });
    const { out } = await settle(pair, both);
    expect(out).toBeInstanceOf(SternaError);
    expect(pair.source.statuses).toEqual(['setup', 'active', 'pre-switchover', 'failing', 'failed']);
    expect(pair.source.runState).toBe('running');
  });

  test('migrate-continue names the state that the migration is in', async () => {
    const pair = new Pair();
    expect(() => pair.out.continue('pre-switchover')).toThrow('in state none, not pre-switchover');
    pair.out.setCapabilities([{ capability: 'pause-before-switchover', state: true }]);
    const both = pair.start();
    pair.loop.after(2000, async () => {
      expect(() => pair.out.continue('device')).toThrow('in state pre-switchover, not device');
      await expect(pair.out.cont()).rejects.toMatchObject({ code: 'STERNA_ERR_MIGRATION_STATE' });
      await pair.out.stop();
      expect(pair.source.runState).toBe('finish-migrate');
      pair.out.continue('pre-switchover');
    });
    await settle(pair, both);
    expect(pair.source.runState).toBe('postmigrate');
    pair.out.continue('completed');
  });
});

/** A channel whose way back is lost when the last byte is out. */
class Deaf implements MigrationChannel {
  readonly name = 'deaf';
  readonly bidirectional = true;
  readonly #inner: MigrationChannel;
  readonly #lost = Promise.withResolvers<undefined>();

  constructor(inner: MigrationChannel) {
    this.#inner = inner;
    this.#lost.promise.catch(() => {});
  }
  write(bytes: Uint8Array): Promise<void> {
    return this.#inner.write(bytes);
  }
  read(): Promise<Uint8Array | undefined> {
    return this.#lost.promise;
  }
  async end(): Promise<void> {
    await this.#inner.end();
    this.#lost.reject(new TransportError('the line is dead'));
  }
  abort(reason: Error): void {
    this.#inner.abort(reason);
  }
  close(): Promise<void> {
    return this.#inner.close();
  }
}

describe('behind the end mark', () => {
  test('a destination that fails gives the guest back', async () => {
    const pair = new Pair();
    onBoth(pair, 'return-path');
    pair.source.disks = [{ name: 'disk', active: true }];
    // Noticed only when the stream is over.
    pair.destination.extra = [
      { idstr: 'more', instanceId: 0, state: {}, vmstate: { name: 'more', version: 1, fields: () => [] } },
    ];
    const { out } = await settle(pair);
    expect(out).toMatchObject({ code: 'STERNA_ERR_DESTINATION' });
    expect(pair.source.statuses).toEqual(['setup', 'active', 'device', 'failing', 'failed']);
    expect([pair.source.runState, pair.source.disksActive]).toEqual(['running', true]);
    expect(pair.in.query()['error-desc']).toContain('without more/0');
  });

  test('a source that cannot hear the destination keeps off the guest, and says so', async () => {
    const pair = new Pair();
    onBoth(pair, 'return-path');
    pair.source.disks = [{ name: 'disk', active: true }];
    const { out } = await settle(
      pair,
      pair.start((channel) => new Deaf(channel)),
    );
    expect(out).toMatchObject({
      code: 'STERNA_ERR_OWNERSHIP_UNKNOWN',
      exitCode: 5,
      message: expect.stringContaining('the line is dead'),
    });
    expect(pair.source.statuses.slice(-2)).toEqual(['failing', 'failed']);
    expect([pair.source.runState, pair.source.disksActive]).toEqual(['postmigrate', false]);
    expect(pair.destination.runState).toBe('running');
    expect(() => pair.out.checkMigrate()).toThrow('moved away');
    expect(pair.source.notices).toEqual(['setup', 'failed']);
  });

  test('a cancel comes too late', async () => {
    const pair = new Pair();
    onBoth(pair, 'return-path');
    pair.destination.faults = { activate: async () => pair.out.cancel() };
    pair.destination.disks = [{ name: 'disk', active: false }];
    expect(await settle(pair)).toEqual({ out: undefined, in: undefined });
    expect(pair.source.statuses.at(-1)).toBe('completed');
  });
});

describe('a return path', () => {
  test('needs a channel with two directions', async () => {
    const pair = new Pair();
    pair.out.setCapabilities([{ capability: 'return-path', state: true }]);
    const out = pair.out.migrateOverChannel(new Collector());
    await expect(pair.loop.run(out)).rejects.toThrow('return-path needs a channel with two directions');
    expect(pair.source.statuses).toEqual(['setup', 'failing', 'failed']);
  });

  test('carries the failure of a destination while the source still sends', async () => {
    const destinationBlocks = BLOCKS.map(([name, size]): [string, number] => [name, size * 2]);
    const pair = new Pair({ destinationBlocks });
    onBoth(pair, 'return-path');
    const { out } = await settle(pair);
    expect(out).toMatchObject({ code: 'STERNA_ERR_DESTINATION' });
    expect(pair.out.query()['error-desc']).toContain('could not load the guest');
  });
});

describe('cleaning up', () => {
  test('goes on when a device fails in it', async () => {
    const pair = withDevice({ saveCleanup: throws('mop broken') }, { loadCleanup: throws('bucket empty') });
    expect(await settle(pair)).toEqual({ out: undefined, in: undefined });
    expect(pair.source.reports).toEqual(["after the migration, section 'probe': mop broken"]);
    expect(pair.destination.reports).toEqual(["after the incoming migration, section 'probe': bucket empty"]);
  });
});

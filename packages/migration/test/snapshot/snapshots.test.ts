import { type RunState, SternaError } from '@sterna/core';
import { describe, expect, test } from 'vitest';
import { parseStream } from '../../src/inspect/records.ts';
import { Snapshots } from '../../src/snapshot/snapshots.ts';
import { wireProperties } from '../../src/wire.ts';
import { SnapshotRig } from '../support/snapshot-rig.ts';

const RAM = 'fake.ram';

function write(rig: SnapshotRig, value: number, page = 3): void {
  rig.migration.guestWrite(rig.migration.block(RAM).hostOffset + page * 4096, value);
}
const read = (rig: SnapshotRig, page = 3) => rig.migration.content(RAM)[page * 4096];
const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'fine',
    (error) => (error instanceof SternaError ? error.code : String(error)),
  );

describe('a machine that runs', () => {
  test('stands still while it is saved, and goes back to what was saved', async () => {
    const rig = new SnapshotRig();
    write(rig, 7);
    rig.migration.counter.ticks = 9;
    const states: string[] = [];
    rig.migration.onChange = (what) => states.push(what);
    const info = await rig.save('s');
    expect(states).toEqual(['STOP', 'save-vm', 'running', 'RESUME']);
    expect(info).toMatchObject({ id: '1', name: 's', dateNs: rig.wallNs() });
    write(rig, 8);
    write(rig, 8, 5);
    rig.migration.counter.ticks = 100;
    states.length = 0;
    await rig.load('s');
    expect(states).toEqual(['STOP', 'restore-vm', 'running', 'RESUME']);
    expect([read(rig), read(rig, 5), rig.migration.counter.ticks]).toEqual([7, 0, 9]);
    expect(rig.resets).toBe(1);
    expect(rig.blocked).toEqual([]);
  });

  test('is a plain stream: every page once, no command, nothing behind the description', async () => {
    const rig = new SnapshotRig();
    write(rig, 7);
    await rig.save('s');
    const records = parseStream(rig.store.kept[0]!.bytes);
    expect(records.some(({ type }) => type === 'command')).toBe(false);
    expect(records.at(-1)!.type).toBe('vmdescription');
    const pages = records.flatMap((record) => (record.type === 'ram' ? record.records : []));
    const total = rig.migration.ramBlocks().reduce((sum, { usedLength }) => sum + usedLength / 4096, 0);
    expect(pages.filter(({ flags }) => (flags & (8 | 2)) !== 0)).toHaveLength(total);
  });

  test.each(['begin', 'write', 'commit'] as const)(
    'runs on when the store fails at %s, and nothing is left',
    async (step) => {
      const rig = new SnapshotRig();
      rig.store.fault = (at) => {
        if (at === step) throw new SternaError('STERNA_ERR_HOST_IO', 'no space left');
      };
      expect(await codeOf(rig.save('s'))).toBe('STERNA_ERR_HOST_IO');
      expect(rig.migration.runState).toBe('running');
      expect([rig.store.kept.length, rig.store.pending, rig.blocked.length]).toEqual([0, 0, 0]);
      rig.store.fault = () => {};
      await rig.save('s');
    },
  );

  test('runs on when the save is cancelled', async () => {
    const rig = new SnapshotRig();
    const abort = new AbortController();
    rig.store.fault = (step) => {
      if (step === 'write') abort.abort();
    };
    const save = rig.loop.run(rig.snapshots.save('s', { signal: abort.signal }));
    expect(await codeOf(save)).toBe('STERNA_ERR_MIGRATION_CANCELLED');
    expect([rig.migration.runState, rig.store.kept.length, rig.store.pending]).toEqual(['running', 0, 0]);
  });

  test('stays stopped when that was asked for meanwhile', async () => {
    const rig = new SnapshotRig();
    rig.store.fault = (step) => {
      if (step === 'commit') rig.snapshots.goOn(false);
    };
    await rig.save('s');
    expect(rig.migration.runState).toBe('paused');
  });

  test('does not feel a load of what is not there or damaged', async () => {
    const rig = new SnapshotRig();
    await expect(rig.load('s')).rejects.toThrow("Snapshot 's' does not exist in one or more devices");
    await rig.save('s');
    rig.store.fault = (step) => {
      if (step === 'open') throw new SternaError('STERNA_ERR_SNAPSHOT_CORRUPT', 'checksum');
    };
    const before = rig.events.length;
    expect(await codeOf(rig.load('s'))).toBe('STERNA_ERR_SNAPSHOT_CORRUPT');
    expect([rig.migration.runState, rig.resets, rig.events.length]).toEqual(['running', 0, before]);
  });

  test('stays stopped in restore-vm when the state does not fit, and comes back with another snapshot', async () => {
    const rig = new SnapshotRig();
    write(rig, 7);
    await rig.save('good');
    await rig.save('bad');
    rig.store.kept[1]!.bytes = rig.store.kept[1]!.bytes.slice(0, -2000);
    const load = rig.load('bad');
    await expect(load).rejects.toThrow(
      /snapshot 'bad' was not loaded; reset the machine or load another one: .*too early/,
    );
    expect(await codeOf(load)).toBe('STERNA_ERR_STREAM');
    expect(rig.migration.runState).toBe('restore-vm');
    await rig.load('good');
    expect([rig.migration.runState, read(rig)]).toEqual(['paused', 7]);
  });
});

describe('a machine that stands still', () => {
  test.each<RunState>(['paused', 'prelaunch'])('is saved and loaded in state %s without an event', async (state) => {
    const rig = new SnapshotRig(state);
    rig.migration.counter.ticks = 4;
    await rig.save('s');
    rig.migration.counter.ticks = 5;
    await rig.load('s');
    expect([rig.migration.runState, rig.migration.counter.ticks, rig.events.length]).toEqual([state, 4, 0]);
  });

  test('decides by itself whether it runs after a load, not by what was saved', async () => {
    const rig = new SnapshotRig('paused');
    await rig.save('paused');
    rig.migration.start();
    await rig.load('paused');
    expect(rig.migration.runState).toBe('running');
    await rig.save('running');
    await rig.migration.stop('paused');
    await rig.load('running');
    expect(rig.migration.runState).toBe('paused');
  });

  test.each<RunState>(['shutdown', 'internal-error', 'guest-panicked'])(
    'comes back from %s as paused',
    async (state) => {
      const rig = new SnapshotRig();
      await rig.save('s');
      await rig.migration.stop(state);
      await rig.load('s');
      expect(rig.migration.runState).toBe('paused');
    },
  );

  test.each<RunState>(['inmigrate', 'finish-migrate', 'postmigrate'])(
    'is neither saved nor loaded in %s: the guest is not here',
    async (state) => {
      const rig = new SnapshotRig();
      await rig.save('s');
      rig.migration.setRunState(state);
      expect(await codeOf(rig.save('t'))).toBe('STERNA_ERR_MIGRATION_STATE');
      expect(await codeOf(rig.load('s'))).toBe('STERNA_ERR_MIGRATION_STATE');
      expect(rig.migration.runState).toBe(state);
    },
  );
});

describe('a guest that sleeps', () => {
  test('sleeps on after a save', async () => {
    const rig = new SnapshotRig('suspended');
    await rig.save('s');
    expect(rig.migration.runState).toBe('suspended');
  });
  test('sleeps again after a load into a sleeping machine', async () => {
    const rig = new SnapshotRig('suspended');
    await rig.save('s');
    await rig.load('s');
    expect([rig.migration.runState, rig.woken]).toEqual(['suspended', 0]);
  });
  test('is woken by a load into a machine that runs', async () => {
    const rig = new SnapshotRig('suspended');
    await rig.save('s');
    rig.migration.setRunState('running');
    await rig.load('s');
    expect([rig.migration.runState, rig.woken]).toEqual(['running', 1]);
  });
  test('sleeps when a paused machine that has loaded it is started', async () => {
    const rig = new SnapshotRig('suspended');
    await rig.save('s');
    rig.migration.setRunState('running');
    await rig.migration.stop('paused');
    await rig.load('s');
    expect([rig.migration.runState, rig.wasSuspended]).toEqual(['paused', true]);
    rig.migration.start();
    expect(rig.migration.runState).toBe('suspended');
  });
  test('is one that was stopped in its sleep', async () => {
    const rig = new SnapshotRig('suspended');
    await rig.migration.stop('paused');
    await rig.save('s');
    expect([rig.migration.runState, rig.wasSuspended]).toEqual(['paused', true]);
    rig.migration.start();
    rig.migration.setRunState('running');
    await rig.migration.stop('paused');
    await rig.load('s');
    expect(rig.wasSuspended).toBe(true);
  });
  test('runs when it slept before the load of one that did not', async () => {
    const rig = new SnapshotRig();
    await rig.save('awake');
    rig.migration.setRunState('suspended');
    await rig.load('awake');
    expect([rig.migration.runState, rig.wasSuspended]).toEqual(['running', false]);
  });
});

describe('names and places', () => {
  test('a name is taken once, unless it is to be replaced', async () => {
    const rig = new SnapshotRig();
    await rig.save('s');
    await expect(rig.save('s')).rejects.toThrow("Snapshot 's' already exists in one or more devices");
    await rig.save('s', true);
    expect((await rig.snapshots.list()).map(({ id }) => id)).toEqual(['2']);
  });
  test('what is to be replaced stays when the new one fails', async () => {
    const rig = new SnapshotRig();
    await rig.save('s');
    rig.store.fault = (step) => {
      if (step === 'commit') throw new Error('x');
    };
    await expect(rig.save('s', true)).rejects.toThrow();
    expect((await rig.snapshots.list()).map(({ id }) => id)).toEqual(['1']);
  });
  test('names are 1 to 255 bytes of text', async () => {
    const rig = new SnapshotRig();
    for (const name of ['', 'x'.repeat(256), '\ud800'])
      expect(await codeOf(rig.save(name))).toBe('STERNA_ERR_SNAPSHOT');
  });
  test('a deleted one is gone; one that is not there is no error', async () => {
    const rig = new SnapshotRig();
    await rig.save('s');
    await rig.snapshots.remove('s');
    await rig.snapshots.remove('s');
    expect(await rig.snapshots.list()).toEqual([]);
  });
  test('without a place the error says what to configure', async () => {
    const rig = new SnapshotRig();
    const none = new Snapshots(rig, [], wireProperties('compat'));
    await expect(none.save('s')).rejects.toThrow(/no block device can store vmstate.*-snapshot-store dir=PATH/);
    await expect(none.list()).rejects.toThrow(/no place/);
  });
  test('places and devices have to exist', async () => {
    const { snapshots } = new SnapshotRig();
    await expect(snapshots.save('s', { store: 'd0' })).rejects.toThrow("vmstate block device 'd0' does not exist");
    await expect(snapshots.save('s', { devices: ['store', 'd0'] })).rejects.toThrow('d0');
    await expect(snapshots.save('s', { devices: [] })).rejects.toThrow('At least one device is required for snapshot');
  });
  test('a state that holds only a disk is not loaded', async () => {
    const rig = new SnapshotRig();
    const sink = await rig.store.begin();
    await sink.commit({ name: 'disk', dateNs: 0n, vmClockNs: 0n });
    await expect(rig.load('disk')).rejects.toThrow(/disk-only snapshot/);
  });
});

describe('what forbids a snapshot', () => {
  test('blockers forbid saving, not loading', async () => {
    const rig = new SnapshotRig();
    await rig.save('s');
    rig.migration.blockers = ['because'];
    await expect(rig.save('t')).rejects.toThrow('snapshots are blocked: because');
    expect(await codeOf(rig.save('t'))).toBe('STERNA_ERR_MIGRATION_BLOCKED');
    await rig.load('s');
  });
  test('a writable disk that cannot take part', async () => {
    const rig = new SnapshotRig();
    await rig.save('s');
    rig.disks = ['d0'];
    await expect(rig.save('t')).rejects.toThrow("Device 'd0' is writable but does not support snapshots");
    await expect(rig.load('s')).rejects.toThrow("Device 'd0' is writable but does not support snapshots");
    expect(rig.migration.runState).toBe('running');
  });
  test('another operation on a snapshot; and migrations are kept out meanwhile', async () => {
    const rig = new SnapshotRig();
    const first = rig.snapshots.save('s');
    await expect(rig.snapshots.save('t')).rejects.toThrow('a snapshot is being saved; wait for its end');
    expect(rig.blocked).toEqual(['a snapshot is being saved']);
    await rig.loop.run(first);
    expect([rig.blocked, rig.snapshots.busy]).toEqual([[], undefined]);
  });
});

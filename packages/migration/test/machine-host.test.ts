import {
  BlockActivation,
  defineDevice,
  Hooks,
  MachineControl,
  type MigrationBlocker,
  MigrationBlockers,
  type MigrationNotice,
  MigrationNotifiers,
} from '@sterna/core';
import { describe, expect, test } from 'vitest';
import { coreMachine, move } from './support/core-pair.ts';
import { SimLoop } from './support/sim-loop.ts';

/** A device that a guest must give up before it moves, as the primary of a failover pair. */
class Primary {
  plugged = true;
  /** The guest was asked to give it up. */
  asked = false;
  /** How often the guest looks until it does. */
  patience = 3;
  readonly notices: string[] = [];
  looks = 0;
  readonly control: MachineControl;
  readonly blockers: MigrationBlockers;
  blocker: MigrationBlocker | undefined;

  constructor(control: MachineControl, blockers: MigrationBlockers, notifiers: MigrationNotifiers) {
    this.control = control;
    this.blockers = blockers;
    control.supportWakeup(() => {});
    notifiers.add('failover', (notice) => this.#told(notice));
  }

  #told({ type }: MigrationNotice): void {
    this.notices.push(type);
    if (type === 'setup') this.asked = true;
    if (type === 'failed') {
      this.asked = false;
      this.plugged = true;
      this.looks = 0;
    }
  }

  /** The guest reacts when it has time. */
  get pending(): boolean {
    if (!this.asked || !this.plugged) return false;
    if (++this.looks >= this.patience) this.plugged = false;
    return this.plugged;
  }
}

const primary = defineDevice({
  name: 'primary',
  bus: 'sysbus',
  description: 'Leaves before the guest moves',
  properties: {},
  inject: [MachineControl, MigrationBlockers, MigrationNotifiers, Hooks],
  create: (_, control, blockers, notifiers) => new Primary(control, blockers, notifiers),
  vmstate: {
    name: 'primary',
    version: 1,
    needed: ({ plugged }) => plugged,
    unplugPending: (device) => device.pending,
    fields: () => [],
  },
});

const fixed = defineDevice({
  name: 'fixed',
  bus: 'sysbus',
  description: 'Cannot move',
  properties: {},
  create: () => ({}),
  vmstate: { kind: 'unmigratable', reason: 'it is bolted down' },
});

function pair() {
  const loop = new SimLoop();
  const source = coreMachine(loop, [primary({ id: 'p' })]);
  const destination = coreMachine(loop, [primary({ id: 'p' })]);
  source.machine.start();
  const device = source.machine.devices[0]!.state as Primary;
  return { loop, source, destination, device };
}

describe("core's machine", () => {
  test('moves when its device has left the guest', async () => {
    const { loop, source, destination, device } = pair();
    await move(loop, source, destination);
    expect(source.log).toEqual([
      '[running]',
      'setup',
      'wait-unplug',
      'active',
      '[finish-migrate]',
      'device',
      '[postmigrate]',
      'completed',
    ]);
    expect(destination.log).toEqual(['[inmigrate]', 'setup', 'active', '[running]', 'completed']);
    expect([device.plugged, device.notices]).toEqual([false, ['setup', 'done']]);
  });

  test('gets its device back when the migration is cancelled', async () => {
    const { loop, source, destination, device } = pair();
    device.patience = 50;
    const cancel = () => void loop.after(1500, () => source.controller.cancel());
    await expect(move(loop, source, destination, cancel)).rejects.toThrow('cancelled');
    expect(source.log.slice(-3)).toEqual(['wait-unplug', 'cancelling', 'cancelled']);
    expect([device.plugged, device.notices, source.machine.runState]).toEqual([true, ['setup', 'failed'], 'running']);
  });

  test('takes no blockers while it migrates or is saved, and shows those it has', async () => {
    const { source, device } = pair();
    device.blocker = device.blockers.add('a game is on');
    expect(source.controller.query()).toEqual({ 'blocked-reasons': ['a game is on'] });
    expect(() => source.controller.checkMigrate()).toThrow('migration is blocked: a game is on');
    device.blocker[Symbol.dispose]();
    let late: unknown;
    const other = pair();
    await move(other.loop, other.source, other.destination, () => {
      try {
        other.device.blockers.add('too late');
      } catch (error) {
        late = error;
      }
    });
    expect(late).toMatchObject({ code: 'STERNA_ERR_MIGRATION_BLOCKER' });
    source.machine.setRunState('save-vm');
    expect(() => device.blockers.add('too late')).toThrow('snapshot in progress');
  });

  test('with a device that cannot move does not, and is refused under -only-migratable', () => {
    const loop = new SimLoop();
    const { machine, controller } = coreMachine(loop, [fixed({ id: 'f' })]);
    machine.start();
    expect(() => controller.checkMigrate()).toThrow('non-migratable device: f (it is bolted down)');
    expect(() => coreMachine(loop, [fixed({ id: 'f' })], { onlyMigratable: true })).toThrow(
      expect.objectContaining({
        code: 'STERNA_ERR_MIGRATION_BLOCKER',
        message: expect.stringContaining("fixed 'f': the device is not migratable (it is bolted down)"),
      }),
    );
  });

  test('that sleeps sleeps on where it has moved to, and wakes there', async () => {
    const { loop, source, destination, device } = pair();
    device.control.requestSuspend();
    await loop.run(new Promise((resolve) => loop.soon(() => resolve(undefined))));
    expect(source.machine.runState).toBe('suspended');
    await move(loop, source, destination);
    expect(destination.machine.runState).toBe('suspended');
    destination.machine.wakeUp('other');
    expect(destination.machine.runState).toBe('running');
  });

  test('that sleeps and was stopped sleeps when it goes on', async () => {
    const { loop, source, destination, device } = pair();
    device.control.requestSuspend();
    await loop.run(new Promise((resolve) => loop.soon(() => resolve(undefined))));
    await source.controller.stop();
    await move(loop, source, destination);
    expect([destination.machine.runState, destination.machine.wasSuspended]).toEqual(['paused', true]);
    await destination.controller.cont();
    expect(destination.machine.runState).toBe('suspended');
  });

  test('hands its disks over, and takes them back when it cannot go', async () => {
    const { loop, source, destination } = pair();
    const disks = (active: boolean) => ({
      active,
      async inactivateAll() {
        this.active = false;
      },
      async activateAll() {
        this.active = true;
      },
    });
    const [here, there] = [disks(true), disks(false)];
    source.machine.scope.provide(BlockActivation, here);
    destination.machine.scope.provide(BlockActivation, there);
    await move(loop, source, destination);
    expect([here.active, there.active]).toEqual([false, true]);
    // The user decides against the new place.
    await destination.controller.stop();
    await there.inactivateAll();
    expect(() => source.machine.start()).toThrow('disks are inactive');
    await source.controller.cont();
    expect([source.machine.runState, here.active]).toEqual(['running', true]);
  });

  test('compares UUIDs as text', async () => {
    const loop = new SimLoop();
    const machine = (digit: string) => coreMachine(loop, [], { uuid: `12345678-1234-1234-1234-12345678900${digit}` });
    const [source, destination] = [machine('1'), machine('2')];
    source.controller.setCapabilities([{ capability: 'validate-uuid', state: true }]);
    source.machine.start();
    await move(loop, source, destination).catch(() => {});
    expect(destination.controller.query()['error-desc']).toContain('UUID 12345678-1234-1234-1234-123456789001');
    // And again, from one that fits: what the first has left is reset.
    await move(loop, machine('2'), destination);
    expect(destination.machine.runState).toBe('prelaunch');
  });
});

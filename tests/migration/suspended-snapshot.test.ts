import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MachineControl } from '@sterna/core';
import { buildTinyGuest } from '@sterna/guests/node';
import { MachineMigrationHost, MachineSnapshotHost, Snapshots, wireProperties } from '@sterna/migration';
import { DirectorySnapshotStore } from '@sterna/migration/node';
import { afterEach, expect, it } from 'vitest';
import { LocalMachine } from '../support/local-machine.ts';
import { delay } from '../support/vm.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A guest that counts, on a platform that can put it to sleep, with a place for snapshots. */
async function start() {
  const local = new LocalMachine({ ramMiB: 24, kernel: buildTinyGuest('pvh'), cmdline: 'tick=10 rate=5 work=8' });
  const { machine } = local;
  cleanups.push(() => machine.dispose());
  machine.scope.get(MachineControl).supportWakeup(() => {});
  const directory = mkdtempSync(join(tmpdir(), 'sterna-asleep-'));
  cleanups.push(() => rmSync(directory, { recursive: true }));
  const migration = new MachineMigrationHost(machine, { event: () => {}, report: () => {} });
  const host = new MachineSnapshotHost(machine, migration, () => local.controller.migrating);
  const store = new DirectorySnapshotStore('snapshots', directory);
  const snapshots = new Snapshots(host, [store], wireProperties('compat'));
  const ticks = () => [...local.serial.matchAll(/TICK (\d+) /g)].map((match) => Number(match[1]));
  const until = async (condition: () => boolean) => {
    for (let i = 0; i < 3000 && !condition(); i++) await delay(10);
    expect(condition()).toBe(true);
  };
  machine.start();
  await until(() => ticks().length > 5);
  machine.scope.get(MachineControl).requestSuspend();
  await until(() => machine.runState === 'suspended');
  const last = ticks().at(-1)!;
  await snapshots.save('asleep');
  expect(machine.runState).toBe('suspended');
  await delay(100);
  expect(ticks().at(-1)).toBe(last);
  machine.wakeUp('other');
  await until(() => ticks().at(-1)! > last + 5);
  const counts = () => {
    expect(local.serial).not.toContain('BAD');
    return ticks();
  };
  return { machine, snapshots, until, last, counts };
}

it('a snapshot of a sleeping guest wakes in a machine that runs', async () => {
  const { machine, snapshots, until, last, counts } = await start();
  const before = counts().length;
  await snapshots.load('asleep');
  expect(machine.runState).toBe('running');
  await until(() => counts().length > before + 5);
  expect(counts()).toContain(last + 1);
  expect(counts().filter((tick) => tick === last + 1)).toHaveLength(2);
});

it('it sleeps on in a machine that slept, or was paused, and wakes later', async () => {
  const { machine, snapshots, until, last, counts } = await start();
  machine.stop('paused');
  await snapshots.load('asleep');
  expect([machine.runState, machine.wasSuspended]).toEqual(['paused', true]);
  machine.start();
  expect(machine.runState).toBe('suspended');
  await snapshots.load('asleep');
  expect(machine.runState).toBe('suspended');
  const silent = counts().length;
  await delay(200);
  expect(counts()).toHaveLength(silent);
  machine.wakeUp('other');
  await until(() => counts().length > silent + 5);
  expect(counts()[silent]).toBe(last + 1);
});

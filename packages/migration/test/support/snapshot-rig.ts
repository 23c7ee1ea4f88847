import type { RunState } from '@sterna/core';
import type { Pace } from '../../src/pace.ts';
import type { SnapshotHost } from '../../src/snapshot/host.ts';
import { Snapshots } from '../../src/snapshot/snapshots.ts';
import { wireProperties } from '../../src/wire.ts';
import { FakeHost } from './fake-host.ts';
import { MemoryStore } from './memory-store.ts';
import { BLOCKS } from './pair.ts';
import { SimLoop } from './sim-loop.ts';

/** A simulated machine with snapshots in memory. */
export class SnapshotRig implements SnapshotHost {
  readonly loop = new SimLoop();
  readonly migration: FakeHost;
  readonly store = new MemoryStore();
  readonly snapshots: Snapshots;
  readonly pace: Pace = this.loop.pace;
  resets = 0;
  woken = 0;
  blocked: string[] = [];
  disks: string[] = [];
  migrating = false;

  constructor(runState: RunState = 'running') {
    this.migration = new FakeHost(runState, BLOCKS);
    this.snapshots = new Snapshots(this, [this.store], wireProperties('compat'));
  }
  get wasSuspended(): boolean {
    return this.migration.wasSuspended;
  }
  set wasSuspended(slept: boolean) {
    this.migration.wasSuspended = slept;
  }
  wallNs(): bigint {
    return 1_795_220_258_998_358_000n;
  }
  vmClockNs(): bigint {
    return BigInt(this.loop.nowNs);
  }
  icount(): undefined {}
  reset(): void {
    this.resets++;
    this.wasSuspended = false;
    this.migration.counter.ticks = 0;
    this.migration.counter.log.fill(0);
  }
  wakeUp(): void {
    this.woken++;
    this.migration.setRunState('running');
  }
  block(reason: string): Disposable {
    if (this.migrating) throw new Error('migrating');
    this.blocked.push(reason);
    return { [Symbol.dispose]: () => void this.blocked.splice(this.blocked.indexOf(reason), 1) };
  }
  unsupportedDisks(): readonly string[] {
    return this.disks;
  }

  save(name: string, overwrite = false) {
    return this.loop.run(this.snapshots.save(name, { overwrite }));
  }
  load(name: string) {
    return this.loop.run(this.snapshots.load(name));
  }
  /** STOP and RESUME so far. */
  get events(): string[] {
    return this.migration.events.map(({ event }) => event);
  }
}

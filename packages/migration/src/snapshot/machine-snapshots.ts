import { type Machine, SnapshotDisks } from '@sterna/core';
import { MigrationStateError } from '../errors.ts';
import type { MigrationHost } from '../host.ts';
import { Pace } from '../pace.ts';
import type { SnapshotHost } from './host.ts';

/** Core's machine as the host of its snapshots. */
export class MachineSnapshotHost implements SnapshotHost {
  readonly migration: MigrationHost;
  readonly pace: Pace;
  readonly #machine: Machine;
  readonly #migrating: () => boolean;

  /**
   * @param migration the same machine as a migration's host
   * @param migrating whether a migration is under way
   */
  constructor(machine: Machine, migration: MigrationHost, migrating: () => boolean) {
    this.#machine = machine;
    this.#migrating = migrating;
    this.migration = migration;
    this.pace = new Pace(machine.host.loop, machine.host.clock);
  }

  get wasSuspended(): boolean {
    return this.#machine.wasSuspended;
  }
  set wasSuspended(slept: boolean) {
    this.#machine.wasSuspended = slept;
  }
  wallNs(): bigint {
    return this.#machine.host.clock.wallNs();
  }
  vmClockNs(): bigint {
    return BigInt(Math.trunc(this.#machine.clock.now()));
  }
  icount(): bigint | undefined {
    const { icountShift } = this.#machine.setup;
    // Virtual time is what instructions have made of it.
    return icountShift === undefined ? undefined : this.vmClockNs() >> BigInt(icountShift);
  }
  reset(): void {
    this.#machine.requestReset('snapshot-load');
  }
  wakeUp(): void {
    this.#machine.wakeUp('other');
  }
  block(reason: string): Disposable {
    if (this.#migrating()) throw new MigrationStateError("There's a migration process in progress");
    return this.#machine.blockers.addInternal(reason);
  }
  unsupportedDisks(): readonly string[] {
    return this.#machine.scope.find(SnapshotDisks)?.unsupported ?? [];
  }
}

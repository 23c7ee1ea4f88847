import type { MigrationHost } from '../host.ts';
import type { Pace } from '../pace.ts';

/** What snapshots need of a machine beside what a migration needs. */
export interface SnapshotHost {
  readonly migration: MigrationHost;
  readonly pace: Pace;
  /** The stopped guest was asleep; see `Machine.wasSuspended`. */
  wasSuspended: boolean;
  /** Host's time in ns since 1970. */
  wallNs(): bigint;
  /** The guest's virtual clock in ns. */
  vmClockNs(): bigint;
  /** Instructions executed so far, when the machine counts them. */
  icount(): bigint | undefined;
  /** Resets vCPUs and devices at once; the machine stands still. */
  reset(): void;
  /** Wakes a guest that sleeps. */
  wakeUp(): void;
  /** Keeps migrations out until disposed. @throws SternaError when one is under way */
  block(reason: string): Disposable;
  /** Writable disks whose content no snapshot can hold, by name. */
  unsupportedDisks(): readonly string[];
}

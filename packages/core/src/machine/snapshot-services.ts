import { type Service, service } from '../container/service.ts';

/**
 * What the machine's disks can do for snapshots. A snapshot of the machine without that of its disks would come back to
 * files that have changed behind the guest's back. The block layer provides it; a machine without disks has none.
 */
export interface SnapshotDisks {
  /** Writable disks whose images cannot hold snapshots, by name: while there is one, none is saved or loaded. */
  readonly unsupported: readonly string[];
}
/** Snapshots of the machine's disks. */
export const SnapshotDisks: Service<SnapshotDisks> = service('SnapshotDisks');

/**
 * Where snapshots are kept: named streams of the machine's state beside some facts about them. The calls are those that
 * an image format with internal snapshots has (qcow2: an area for the state behind the disk, a table of snapshots), so
 * that a block node can be a store.
 */

/** What is known of a snapshot that is being made. */
export interface SnapshotFacts {
  /** Name the user gave it, QEMU's tag; 1 to 255 bytes of UTF-8. */
  readonly name: string;
  /** Host's time when the guest was stopped, in ns since 1970. */
  readonly dateNs: bigint;
  /** Guest's virtual clock then, in ns. */
  readonly vmClockNs: bigint;
  /** Instructions executed until then, on a machine that counts them. */
  readonly icount?: bigint;
}

/** A snapshot in a store (QAPI SnapshotInfo). */
export interface SnapshotInfo extends SnapshotFacts {
  /** The store's own name of it, unique in the store. */
  readonly id: string;
  /** Bytes of the machine's state; 0: it holds a disk's content only. */
  readonly vmStateSize: number;
}

/** A place for snapshots. Failures are `SternaError`s. */
export interface SnapshotStore {
  /** What commands call it: the name of a directory store, or a node-name. */
  readonly name: string;
  /** Complete snapshots, oldest first. */
  list(): Promise<readonly SnapshotInfo[]>;
  /** What looks like a snapshot and cannot be read, for messages; absent when that cannot be told apart. */
  damaged?(): Promise<readonly string[]>;
  /** Begins a new one. */
  begin(): Promise<VmStateSink>;
  /**
   * Opens the state of a snapshot.
   *
   * @throws SternaError `STERNA_ERR_SNAPSHOT_CORRUPT` when it is not what was saved, as far as that can be known now
   */
  open(id: string): Promise<VmStateSource>;
  remove(id: string): Promise<void>;
}

/** The state area of a snapshot that is being made. Exactly one of `commit` and `abort` ends it. */
export interface VmStateSink {
  /** Writes at an offset; one call at a time, not necessarily without gaps. The array may be reused afterwards. */
  write(offset: number, bytes: Uint8Array): Promise<void>;
  /** Puts everything on stable storage; from then on it is listed. */
  commit(facts: SnapshotFacts): Promise<SnapshotInfo>;
  /** Gives up; nothing stays. */
  abort(): Promise<void>;
}

/** The state area of a snapshot. */
export interface VmStateSource {
  readonly size: number;
  /** Fills `into` from an offset on. Answers how many bytes there were; 0 at the end. */
  read(offset: number, into: Uint8Array): Promise<number>;
  close(): Promise<void>;
}

/**
 * What a migration needs of a machine. Core's Machine satisfies it; tests use
 * a fake. Everything happens on the machine's own event loop, so no call can
 * run into a vCPU that executes.
 */
import type {
  AnyVmState,
  LiveHandlers,
  MigrationDecision,
  MigrationEstimate,
  MigrationMode,
  MigrationNotice,
  RamBlock,
  RunState,
  WasmMemory,
} from '@sterna/core';
import type { DirtyingCpus } from './dirty-limit/dirtying-cpus.ts';

/** What identifies a section. */
export interface SectionName {
  /** Section name on the wire, device path included. */
  readonly idstr: string;
  readonly instanceId: number;
}

/** One savable entry of the machine (QEMU's SaveStateEntry), in the order of registration. */
export interface StateSection extends SectionName {
  /** Further instance id accepted at load. */
  readonly aliasId?: number;
  readonly vmstate: AnyVmState;
  /** The object that `vmstate` and `live` are about. */
  readonly state: object;
  // biome-ignore lint/suspicious/noExplicitAny: handlers of every device type share one list; the pair was checked where it was declared
  readonly live?: LiveHandlers<any> | undefined;
}

/** Events a migration emits, in QMP's shapes. STOP and RESUME come from the machine's own run state. */
export type MigrationEvent =
  | { readonly event: 'MIGRATION'; readonly data: { readonly status: string } }
  | { readonly event: 'MIGRATION_PASS'; readonly data: { readonly pass: number } };

/** Part of the shared memory set aside for a migration's buffers. */
export interface BufferArea {
  readonly offset: number;
  readonly size: number;
}

/** The machine as a migration sees it. */
export interface MigrationHost {
  /** Name in the configuration section, e.g. `microvm`. */
  readonly machineName: string;
  /** The machine's UUID, when it has one; 16 bytes. */
  readonly uuid?: Uint8Array;
  /** Current run state. */
  readonly runState: RunState;
  /**
   * Stops the vCPUs at an instruction boundary, freezes the clocks and enters the state, with a STOP event
   * if guest time passed until now. Resolves when devices have drained what they had under way.
   */
  stop(state: RunState): void | Promise<void>;
  /** Starts vCPUs and clocks with a RESUME event and enters `running`, or `suspended` when the guest slept. */
  start(): void;
  /** Enters a state in which the machine stands still. */
  setRunState(state: RunState): void;
  /** The stopped guest was asleep when it was stopped (QEMU's vm_was_suspended). */
  wasSuspended?: boolean;
  /** Forgets everything that a failed load has left in devices. */
  reset?(): void;
  /** All savable entries but `ram` and `globalstate`, which migration adds. */
  sections(): readonly StateSection[];
  /** Reasons that forbid a migration in this mode now. */
  blockedReasons(mode: MigrationMode): readonly string[];
  /** Told once how to find out whether a migration away is under way: no blocker may be added then. */
  followMigration?(migrating: () => boolean): void;
  /** Tells devices and plugins. @throws for `setup` what a listener that refuses has thrown */
  notify?(notice: MigrationNotice): Promise<void>;

  /** The machine's one shared memory. */
  readonly memory: WasmMemory;
  /** Where in it the page flags begin: one byte per page, indexed by `hostAddress / 4096`. */
  readonly pageFlags: number;
  /** Room for the dirty map (a byte for each page) and pages on their way (1 MiB). One migration at a time uses it. */
  readonly buffers: BufferArea;
  /** RAM blocks in the order they were made. */
  ramBlocks(): readonly RamBlock[];
  /**
   * Gives a block another used length: tables of another size, or a firmware of the source's size.
   *
   * @throws RangeError when the block cannot have it.
   */
  resizeRam(block: RamBlock, usedLength: number): void;
  /** RAM was written by the migration. */
  markWritten(hostAddress: number, length: number): void;
  /** Dirty flags were harvested: the next write to any page must be seen again. */
  flushWriteTags(): void;

  /** Gives up the disks before the destination takes them; absent when there are none. Idempotent. */
  inactivateDisks?(): Promise<void>;
  /** Takes the disks back or over before the guest runs. Idempotent. */
  activateDisks?(): Promise<void>;

  /** Keeps vCPUs from running in this percentage of the time, 0 to 99; absent where there is nothing to slow down. */
  throttle?(percentage: number): void;

  /** vCPUs whose writing can be limited; absent where they do not count what they write. */
  readonly dirtying?: DirtyingCpus | undefined;

  /** True where code is slow when it first runs: what the guest would have to wait for is then rehearsed while it runs. */
  readonly slowAtFirst?: boolean;

  /** Asks the machine's policy about a migration that is under way; undefined when nobody has an opinion. */
  decide?(estimate: MigrationEstimate): MigrationDecision | undefined;

  /** Delivers an event to the control plane. */
  emit(event: MigrationEvent): void;
  /** A line for the user, e.g. why an incoming migration failed. */
  report?(text: string): void;
}

/**
 * vmstate tables: what of a device travels in a migration stream, as data.
 *
 * A table is written beside the device it describes and mirrors QEMU's
 * VMStateDescription, so whoever knows one can read the other. Core holds the
 * data and the types only; the bytes are made by `@sterna/migration`.
 */
import type { FieldBuilder } from './builder.ts';
import type { VmField } from './field.ts';

/**
 * Position of a section among the others: higher goes first, equal ones in
 * the order the devices were made. Names and values are QEMU's MIG_PRI_*.
 */
export const VM_PRIORITY = {
  default: 0,
  iommu: 1,
  pciBus: 2,
  virtioMem: 3,
  gicv3Its: 4,
  gicv3: 5,
  /** QEMU 11.1 sends `apic` before everything else; only that wire generation honours it. */
  apic: 6,
} as const;

/** Name of a section's priority. */
export type VmPriority = keyof typeof VM_PRIORITY;

/** Hooks and fields that tables and subsections have in common. */
export interface VmStateBody<D> {
  /** Section, struct or subsection name on the wire, at most 255 bytes. */
  readonly name: string;
  /** Version written, and the newest that can be read. */
  readonly version: number;
  /** Oldest version that can be read; {@link VmStateBody.version} by default. */
  readonly minimumVersion?: number;
  /** The fields in wire order. Called once; `f` knows the device's properties. */
  fields?(f: FieldBuilder<D>): readonly VmField[];
  /** Optional parts, each sent only when its `needed` says so. Their order is the wire order. */
  readonly subsections?: readonly VmStateSubsection<D>[];
  /** Called before the fields are read from the device. Must not change what the guest sees: the migration may fail. */
  preSave?(dev: D): void;
  /** Called when the fields have been written, also after a failure in them. */
  postSave?(dev: D): void;
  /** Called before the first field is stored; sets what an absent subsection leaves at its default. */
  preLoad?(dev: D): void;
  /**
   * Called after fields and subsections. Checks what was loaded and rebuilds
   * derived state. Other devices may not have been loaded yet.
   *
   * @throws RangeError naming the value and the limit; the load fails with section and offset added.
   */
  postLoad?(dev: D, version: number): void;
}

/** A device's state table, or the table of a nested struct. */
export interface VmStateTable<D> extends VmStateBody<D> {
  /** Order among sections; top level only. */
  readonly priority?: VmPriority;
  /** Sent in the setup phase, while the guest still runs; top level only. */
  readonly earlySetup?: boolean;
  /** False leaves the whole section out of the stream; top level only. */
  needed?(dev: D): boolean;
  /**
   * True while the guest still holds a device that cannot move with it and was asked to give it up (a failover
   * pair's primary; a notifier of type `setup` asks): the migration waits in state `wait-unplug`. Top level only.
   */
  unplugPending?(dev: D): boolean;
}

/** An optional part of a table. Absent on the wire, its fields keep the defaults that `preLoad` or reset gave them. */
export interface VmStateSubsection<D> extends VmStateBody<D> {
  /** Must start with the parent's name, by custom `parent/part`. */
  readonly name: string;
  /** True when the part holds something that differs from its default. Asked only when saving. */
  needed(dev: D): boolean;
}

/** A device that cannot be migrated; made by {@link unmigratable}. */
export interface Unmigratable {
  readonly kind: 'unmigratable';
  /** Shown in `blocked-reasons`. */
  readonly reason: string;
}

/**
 * What every device says about its state: a table, `'stateless'` when there
 * is nothing a guest could tell the loss of, or {@link unmigratable}.
 */
export type VmState<D> = VmStateTable<D> | 'stateless' | Unmigratable;

/**
 * A declaration with its device type erased, as lists of sections hold it.
 * Tables of every device are assignable to it.
 */
// biome-ignore lint/suspicious/noExplicitAny: only `any` relates tables of different devices; the pair of table and object was checked where it was declared
export type AnyVmState = VmState<any>;

/** Declares that a device blocks migration. @param reason a sentence that names the obstacle. */
export function unmigratable(reason: string): Unmigratable {
  return { kind: 'unmigratable', reason };
}

/** Whether a declaration is a table, and not `'stateless'` or unmigratable. */
export function isVmStateTable<D>(state: VmState<D>): state is VmStateTable<D> {
  return typeof state === 'object' && !('kind' in state);
}

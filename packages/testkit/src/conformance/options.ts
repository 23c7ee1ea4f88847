import type { DeviceType, VmStateTable } from '@sterna/core';
import type { VmStateDump } from '@sterna/migration';
import type { DeviceHarness, HarnessOptions } from '../harness/device-harness.ts';

/** Something that a guest or the outside does to the device. What it answers is compared, so answer what was read. */
export interface Operation {
  /** For messages, such as `write CTRL`. */
  readonly name: string;
  /** Does it, or promises to. Must depend on nothing but the harness. */
  run(harness: DeviceHarness): unknown;
}

/** A stream recorded from an older version of the device, and what a device that loads it must hold. */
export interface VersionFixture {
  /** Content of the section, without header and footer. */
  readonly bytes: Uint8Array;
  /** Values of fields of the state object afterwards. */
  readonly expect: Readonly<Record<string, unknown>>;
}

/** What the kit should know of a device. */
export interface ConformanceOptions extends Omit<HarnessOptions, 'host' | 'holdDma'> {
  /** Operations that use the device as its driver does, in order; random ones are added. */
  readonly operations?: readonly Operation[];
  /** Random operations after them. Default: 40. */
  readonly randomOperations?: number;
  /** Seed of the random operations. Default: 1. */
  readonly seed?: number;
  /** One for each version from `minimumVersion` to the one before the current. */
  readonly fixtures?: Readonly<Record<number, VersionFixture>>;
  /** Table of the last published version, as `sterna vmstate dump` prints it. */
  readonly published?: VmStateDump;
  /** Fields of the state object that may differ after a migration, because nothing visible depends on them. */
  readonly transient?: readonly string[];
  /**
   * Interrupt lines whose level the device does not restore, because the interrupt controller's own state carries it: QEMU's
   * older devices with edge-triggered lines do so, and their streams leave no choice.
   */
  readonly unrestoredLines?: readonly number[];
  /** Offsets that random operations leave alone, by region: registers that end the machine, for instance. */
  readonly avoid?: (offset: number, region: number) => boolean;
}

/** A device under test with its options. */
export interface Subject {
  readonly type: DeviceType;
  readonly options: ConformanceOptions;
  readonly operations: readonly Operation[];
  /** False for a device that is declared unmigratable. */
  readonly migrates: boolean;
  /** Undefined for a device without state or one that does not migrate. */
  readonly table: VmStateTable<object> | undefined;
}

/** A finding: the device breaks a rule of migration. */
export class ConformanceError extends Error {
  override readonly name = 'ConformanceError';
}

/** One property of the device that is checked. */
export interface Check {
  readonly name: string;
  /** Why it does not apply to this device, if it does not. */
  readonly skipped?: string;
  /** @throws ConformanceError naming what is wrong and what to do */
  run(): Promise<void>;
}

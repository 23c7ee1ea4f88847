import type { CpuTopology } from '../cpu/topology.ts';
import type { TranslationOptions } from '../cpu/translation.ts';
import type { DeviceSpec } from '../device/define-device.ts';
import type { Plugin } from '../plugin/define-plugin.ts';
import type { MachineTypeSpec } from './define-machine-type.ts';

/** A whole machine as data: what `sterna.config.ts` exports and the QEMU command line is turned into. */
export interface MachineConfig {
  /** Guest name, as `-name`. */
  readonly name?: string;
  readonly uuid?: string;
  readonly machine: MachineTypeSpec;
  /** CPU model with features and properties, as after `-cpu`. */
  readonly cpu?: string;
  /** Number of vCPUs, or how they are grouped; what is not named is 1. */
  readonly smp?: number | Partial<CpuTopology>;
  /** Bytes, or text with a suffix. Default: the machine type's. */
  readonly memory?: number | string;
  /** Paths. */
  readonly kernel?: string;
  readonly initrd?: string;
  readonly append?: string;
  readonly bios?: string;
  /** User-creatable objects by id, in order: TLS credentials, secrets, access lists. */
  readonly objects?: Readonly<Record<string, { readonly type: string; readonly [property: string]: unknown }>>;
  readonly devices?: readonly DeviceSpec[];
  /** Block nodes, in the shape of `blockdev-add`'s arguments; devices name them in `drive`. */
  readonly blockdevs?: readonly Readonly<Record<string, unknown>>[];
  /** Directory for snapshots. */
  readonly snapshots?: string;
  /** Character backends by id, in `-chardev` form. */
  readonly chardevs?: Readonly<Record<string, string>>;
  /** Backends of the serial ports, in `-serial` form. */
  readonly serial?: readonly string[];
  /** QMP sockets, in `-qmp` form. */
  readonly qmp?: readonly string[];
  /** `DRIVER.PROP` values, as `-global`. */
  readonly globals?: Readonly<Record<string, string>>;
  readonly rtc?: { readonly base?: 'utc' | 'localtime' | string; readonly clock?: 'host' | 'vm' };
  /** Refuses devices and blockers that forbid migration, as `-only-migratable`. */
  readonly onlyMigratable?: boolean;
  /** How guest code is translated, as `-accel`. */
  readonly accel?: TranslationOptions;
  /** Virtual time counts instructions: `shift` is log2(ns per instruction). */
  readonly icount?: { readonly shift: number };
  readonly plugins?: readonly Plugin[];
}

/** Checks and types a machine file. */
export function defineMachine(config: MachineConfig): MachineConfig {
  return config;
}

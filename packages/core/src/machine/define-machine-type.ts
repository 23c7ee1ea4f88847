import type { Scope } from '../container/container.ts';
import type { CpuType, VCpu } from '../cpu/define-cpu.ts';
import type { CpuTopology } from '../cpu/topology.ts';
import type { DeviceSpec } from '../device/define-device.ts';
import type { PropertyInput, PropertyTable, PropertyValues } from '../device/properties.ts';
import type { IrqLine } from '../irq/irq.ts';
import type { AddressSpace } from '../memory/address-space.ts';
import type { MachineMemory, OwnedRamBlock, RamBlockOptions } from '../memory/machine-memory.ts';

/** What to boot; files are read by the host before the machine is built. */
export interface BootImages {
  readonly kernel?: Uint8Array;
  readonly initrd?: Uint8Array;
  readonly cmdline?: string;
  /** Firmware image chosen by the user (`-bios`). */
  readonly bios?: Uint8Array;
  /** Finds a firmware file by its QEMU name (`qboot.rom`, `linuxboot_dma.bin`); undefined when not installed. */
  readonly findFirmware: (name: string) => Uint8Array | undefined;
}

/** A device that exists in a machine. */
export interface RealizedDevice {
  readonly id: string;
  readonly type: DeviceSpec['type'];
  readonly state: object;
  readonly scope: Scope;
}

/** How a machine asks for a device: the spec plus wiring that only the machine knows. */
export interface DeviceWiring {
  /** Interrupt lines in order; otherwise `at.irq` numbers go through {@link MachineBuilder.setIrqRouter}. */
  readonly irqs?: readonly IrqLine[];
  /** Further services for this device only. */
  readonly provide?: (scope: Scope) => void;
  /** Instance id in the stream; default: order among equal section names. */
  readonly instanceId?: number;
  /** Further instance id under which older sources send it; accepted when loading. */
  readonly aliasInstanceId?: number;
}

/** The bench on which a machine type assembles one machine. */
export interface MachineBuilder {
  readonly scope: Scope;
  readonly memory: MachineMemory;
  /** Physical memory map. */
  readonly physical: AddressSpace;
  /** Port space. */
  readonly ports: AddressSpace;
  readonly ramSize: number;
  readonly cpuCount: number;
  readonly topology: CpuTopology;
  readonly boot: BootImages;
  /** Devices the user asked for (`-device`, config file), which the machine places with `userDevice`. */
  readonly userDevices: readonly DeviceSpec[];
  /** Serial backends in order of `-serial`; undefined entries are `none`. */
  readonly serials: readonly (string | undefined)[];
  /** Makes a RAM block. */
  ram(name: string, size: number, options?: RamBlockOptions): OwnedRamBlock;
  /** Makes the vCPUs of the configured type. */
  createCpus(provide?: (scope: Scope, index: number) => void): readonly VCpu[];
  /** Adds and maps a device. */
  device(spec: DeviceSpec, wiring?: DeviceWiring): RealizedDevice;
  /** Where `at.irq` numbers of devices lead. */
  setIrqRouter(route: (irq: number) => IrqLine): void;
  /** Runs at every reset, after the devices' `hold` phase and before vCPUs start: load images, set entry points. */
  onReset(callback: () => void): void;
  /** Section order of the stream: sections named first come first; see the machine's wire table. */
  setSectionOrder(order: (sections: readonly SectionName[]) => readonly SectionName[]): void;
  /**
   * Ends the sleep of halted vCPUs: an interrupt controller calls it when its output rises. With the index of the vCPU that
   * it rises for, another one's turn ends.
   */
  wake(cpu?: number): void;
  /** Index of the vCPU whose access is being served, -1 outside slices: per-CPU registers at one address need it. */
  currentCpu(): number;
  /** The command line after plugins' contributions. */
  kernelCmdline(text: string): string;
}

/** idstr and instance of a section. */
export interface SectionName {
  readonly idstr: string;
  readonly instanceId: number;
}

/** A composition of CPU, memory map and devices that users choose by name. */
export interface MachineType<P extends PropertyTable = PropertyTable> {
  readonly kind: 'machine';
  /** Name for `-machine`; also the name in the stream's configuration section. */
  readonly name: string;
  readonly description: string;
  readonly properties: P;
  readonly defaultRamSize: number;
  readonly maxCpus: number;
  /** CPU model when the user names none. */
  readonly defaultCpu: CpuType;
  /** CPU models this machine takes. */
  readonly cpus: readonly CpuType[];
  /** Device types that come with the machine's packages, for `-device`. */
  readonly devices: readonly DeviceSpec['type'][];
  build(builder: MachineBuilder, properties: PropertyValues<P>): void;
}

/** A chosen machine type with its properties. */
export interface MachineTypeSpec {
  readonly type: MachineType;
  readonly properties: Readonly<Record<string, unknown>>;
}

/** A machine type: call it with properties to use it in `defineMachine`. */
export interface MachineTypeFactory<P extends PropertyTable> extends Omit<MachineType<P>, 'name'> {
  readonly typeName: string;
  readonly type: MachineType;
  (properties?: PropertyInput<P>): MachineTypeSpec;
}

/** Declares a machine type. */
export function defineMachineType<const P extends PropertyTable>(
  type: Omit<MachineType<P>, 'kind'>,
): MachineTypeFactory<P> {
  const full: MachineType<P> = { kind: 'machine', ...type };
  const erased = full as unknown as MachineType;
  const factory = (properties: PropertyInput<P> = {} as PropertyInput<P>): MachineTypeSpec => ({
    type: erased,
    properties: properties as Readonly<Record<string, unknown>>,
  });
  const { name, ...rest } = full;
  return Object.assign(factory, rest, { typeName: name, type: erased }) as MachineTypeFactory<P>;
}

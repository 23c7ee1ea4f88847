/** Physical addresses of the microvm machine (QEMU include/hw/i386/microvm.h, v10.0). */
export const MICROVM_MAP = {
  /** RAM above this much continues at 4 GiB. */
  lowRamMax: 0xc000_0000,
  highRam: 0x1_0000_0000,
  /** GED event selector. */
  ged: 0xfea0_0000,
  /** GED sleep and reset registers. */
  gedRegisters: 0xfea0_0200,
  virtioMmio: 0xfeb0_0000,
  virtioMmioSize: 0x200,
  ioapic: 0xfec0_0000,
  ioapic2: 0xfec1_0000,
  apic: 0xfee0_0000,
  /** First address after the firmware. */
  firmwareEnd: 0x1_0000_0000,
  /** First address after the firmware's alias below 1 MiB. */
  biosAliasEnd: 0x10_0000,
  /** The alias shows at most this many of the firmware's last bytes. */
  biosAliasMax: 0x2_0000,
} as const;

/** Interrupt numbers of the microvm machine. */
export const MICROVM_GSI = {
  pit: 0,
  serial: 4,
  rtc: 8,
  ged: 9,
  /** Pins of one IO-APIC. */
  ioapicPins: 24,
} as const;

/** Ports of the microvm machine. */
export const MICROVM_PORTS = {
  pic: 0x20,
  pit: 0x40,
  rtc: 0x70,
  serial: 0x3f8,
  fwCfg: 0x510,
} as const;

/** Addresses and interrupts of the virtio-mmio transports. */
export interface TransportMap {
  readonly count: number;
  readonly irqBase: number;
}

/** Where the virtio transports are: it depends on the IO-APICs (QEMU hw/i386/microvm.c, v10.0). */
export function transportMap(acpi: boolean, ioapics: number): TransportMap {
  if (ioapics > 1) return { count: 24, irqBase: 24 };
  return { count: 8, irqBase: acpi ? 16 : 5 };
}

/** Address of transport `index`. */
export function transportAddress(index: number): number {
  return MICROVM_MAP.virtioMmio + index * MICROVM_MAP.virtioMmioSize;
}

/** How main RAM is split around the hole below 4 GiB. */
export function splitRam(ramSize: number): { readonly below4g: number; readonly above4g: number } {
  const below4g = Math.min(ramSize, MICROVM_MAP.lowRamMax);
  return { below4g, above4g: ramSize - below4g };
}

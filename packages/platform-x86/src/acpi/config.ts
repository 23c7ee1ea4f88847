/** A populated virtio-mmio transport. */
export interface AcpiVirtioTransport {
  readonly index: number;
  /** Guest-physical base of its 512 bytes. */
  readonly address: number;
  /** Global system interrupt, 0-255. */
  readonly gsi: number;
}

/** What the tables describe. */
export interface AcpiConfig {
  readonly cpuCount: number;
  /** The machine has 8259s (MADT PCAT_COMPAT). */
  readonly pic: boolean;
  /** The machine has a second IO-APIC at GSI 24. */
  readonly ioapic2: boolean;
  readonly rtc: boolean;
  readonly uart: boolean;
  /** Transports with a device in them; empty ones are not described. */
  readonly virtio: readonly AcpiVirtioTransport[];
  readonly gedGsi: number;
  /** Guest-physical address of the GED's selector; microvm's by default. */
  readonly gedSelector?: number;
  /** Guest-physical address of the GED's sleep and reset registers; microvm's by default. */
  readonly gedRegisters?: number;
  /** APIC ids by CPU; the index by default. */
  readonly apicIds?: readonly number[];
  /** QEMU 11.1 describes COM1's interrupt as level, active low, shared. */
  readonly sharedUartIrq?: boolean;
  /** 1 as QEMU 7.2, else 3. */
  readonly madtRevision?: number;
}

/** Where QEMU's microvm has the GED. */
export const GED_SELECTOR_BASE = 0xfea0_0000;
/** Where QEMU's microvm has the GED's sleep and reset registers. */
export const GED_REGISTERS_BASE = 0xfea0_0200;

/** The blobs as firmware gets them: tables that point at each other by offset, and the script that relocates them. */
export interface AcpiBlobs {
  /** `etc/acpi/rsdp` */
  readonly rsdp: Uint8Array;
  /** `etc/acpi/tables` */
  readonly tables: Uint8Array;
  /** `etc/table-loader` */
  readonly loader: Uint8Array;
}

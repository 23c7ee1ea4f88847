import { GED_RESET_VALUE } from '../acpi-ged/chip.ts';
import { ascii, u8, u16, u32, u64, zeros } from './bytes.ts';
import { type AcpiConfig, GED_REGISTERS_BASE } from './config.ts';

/** Length of the header that every table but the RSDP starts with, and where its checksum is. */
export const HEADER_SIZE = 36;
export const CHECKSUM_OFFSET = 9;

/** Fields of the FADT that point at the DSDT (ACPI 5.0 §5.2.9). */
export const FADT_DSDT = 40;
export const FADT_X_DSDT = 140;
const FADT_FLAGS = 112;
const FADT_RESET_REG = 116;
const FADT_RESET_VALUE = 128;
const FADT_SLEEP_CONTROL = 244;
const FADT_SLEEP_STATUS = 256;
const FADT_SIZE = 268;
const RESET_REG_SUP = 1 << 10;
const HW_REDUCED_ACPI = 1 << 20;

/** Where the RSDP has its checksums and its pointer. */
export const RSDP_CHECKSUM = 8;
export const RSDP_V1_SIZE = 20;
export const RSDP_XSDT = 24;
export const RSDP_EXTENDED_CHECKSUM = 32;
export const RSDP_SIZE = 36;

/** A table with its header; the checksum is left to whoever places it. */
export function table(signature: string, revision: number, body: readonly number[]): number[] {
  return [
    ...ascii(signature, 4),
    ...u32(HEADER_SIZE + body.length),
    ...u8(revision),
    0,
    // The names firmware and guests know QEMU's tables by; drivers match on them.
    ...ascii('BOCHS', 6),
    ...ascii('BXPC', 8),
    ...u32(1),
    ...ascii('BXPC', 4),
    ...u32(1),
    ...body,
  ];
}

/** Generic address of an 8-bit register in memory (ACPI 5.0 §5.2.3.1). */
function memoryByte(address: number): number[] {
  return [0, 8, 0, 0, ...u64(address)];
}

/** Fixed description table, revision 5: hardware-reduced, with the GED's registers. */
export function fadt(config: AcpiConfig): number[] {
  const registers = config.gedRegisters ?? GED_REGISTERS_BASE;
  const bytes = Uint8Array.from(table('FACP', 5, zeros(FADT_SIZE - HEADER_SIZE)));
  bytes.set(u32(RESET_REG_SUP | HW_REDUCED_ACPI), FADT_FLAGS);
  bytes.set(memoryByte(registers + 2), FADT_RESET_REG);
  bytes.set(u8(GED_RESET_VALUE), FADT_RESET_VALUE);
  bytes.set(memoryByte(registers), FADT_SLEEP_CONTROL);
  bytes.set(memoryByte(registers + 1), FADT_SLEEP_STATUS);
  return [...bytes];
}

/** Interrupt controllers (ACPI 5.0 §5.2.12). */
export function madt(config: AcpiConfig): number[] {
  const { cpuCount, apicIds, pic, ioapic2 } = config;
  const localApic = (index: number) => [0, 8, index, apicIds?.[index] ?? index, ...u32(1)];
  const ioApic = (id: number, address: number, gsi: number) => [1, 12, id, 0, ...u32(address), ...u32(gsi)];
  return table('APIC', config.madtRevision ?? 3, [
    ...u32(0xfee0_0000),
    ...u32(pic ? 1 : 0),
    ...Array.from({ length: cpuCount }, (_, index) => localApic(index)).flat(),
    ...ioApic(0, 0xfec0_0000, 0),
    ...(ioapic2 ? ioApic(1, 0xfec1_0000, 24) : []),
    // LINT1 of every CPU is the NMI.
    ...[4, 6, 0xff, ...u16(0), 1],
  ]);
}

/** The root: pointers to the tables, as offsets. */
export function xsdt(offsets: readonly number[]): number[] {
  return table('XSDT', 1, offsets.flatMap(u64));
}

/** The root pointer, revision 2, XSDT only; `xsdtOffset` is its offset in the tables. */
export function rsdp(xsdtOffset: number): number[] {
  return [
    ...ascii('RSD PTR ', 8),
    0,
    ...ascii('BOCHS', 6),
    2,
    ...u32(0),
    ...u32(RSDP_SIZE),
    ...u64(xsdtOffset),
    0,
    ...zeros(3),
  ];
}

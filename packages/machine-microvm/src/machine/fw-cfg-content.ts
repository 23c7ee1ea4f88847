import type { MachineBuilder } from '@sterna/core';
import { apicIdOf } from '@sterna/cpu-x86';
import { type FwCfg, ramE820 } from '@sterna/platform-x86';
import type { FirmwareBoot } from '../boot/fw-cfg-boot.ts';

/** Keys beside those of the kernel. */
const KEYS = { ramSize: 0x03, cpuCount: 0x05, maxCpus: 0x0f, irq0Override: 0x8002 } as const;
/** What firmware does when nothing boots: -1 = wait for ever. */
const BOOT_FAIL_WAIT = Uint8Array.of(0xff, 0xff, 0xff, 0xff);

/** Content that does not depend on devices. */
export function addMachineContent(fwCfg: FwCfg, builder: MachineBuilder): void {
  fwCfg.addU64(KEYS.ramSize, builder.ramSize);
  fwCfg.addU16(KEYS.cpuCount, builder.cpuCount);
  // firmware reads it as the end of the APIC ids
  fwCfg.addU16(KEYS.maxCpus, apicIdOf(builder.cpuCount - 1, builder.topology) + 1);
  fwCfg.addU32(KEYS.irq0Override, 1);
  fwCfg.addFile('etc/e820', ramE820(builder.ramSize));
  fwCfg.addFile('etc/boot-fail-wait', BOOT_FAIL_WAIT);
  fwCfg.addFile('bios-geometry', new Uint8Array(0));
}

/** Adds the kernel's keys. They may be added again, when the command line has changed. */
export function addKernelContent(fwCfg: FwCfg, boot: FirmwareBoot): void {
  for (const [key, bytes] of boot.items) fwCfg.addBytes(key, bytes);
}

/**
 * Adds the option ROM that loads the kernel, and the boot order that starts it.
 *
 * @param rom Undefined when firmware shall not get one.
 */
export function addOptionRom(
  fwCfg: FwCfg,
  rom: { readonly name: string; readonly bytes: Uint8Array } | undefined,
): void {
  fwCfg.addFile('bootorder', new TextEncoder().encode(rom === undefined ? '' : `/rom@genroms/${rom.name}\0`));
  if (rom !== undefined) fwCfg.addFile(`genroms/${rom.name}`, rom.bytes);
}

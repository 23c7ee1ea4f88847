import { type BootImages, ConfigError, type MachineBuilder } from '@sterna/core';
import { defaultBiosSize, resetStub } from '../boot/direct-boot.ts';
import { imageError } from '../boot/image-reader.ts';
import type { MicrovmProperties } from './properties.ts';
import type { WireGeneration } from './wire.ts';

/** Firmware sizes are multiples of this. */
const FIRMWARE_UNIT = 65536;
/** The block must end below the local APICs' page. */
const FIRMWARE_MAX = 16 << 20;

/** How the machine starts, and the content of `pc.bios`. */
export interface BootPath {
  readonly direct: boolean;
  readonly bios: Uint8Array;
}

/**
 * Chooses between firmware and direct boot: `-bios` and an installed firmware file win unless the user asks for a
 * direct boot.
 *
 * @throws ConfigError `STERNA_ERR_OPTION_VALUE` when there is nothing to start; `STERNA_ERR_IMAGE_FORMAT` for a firmware
 * of an impossible size.
 */
export function chooseBootPath(
  builder: MachineBuilder,
  properties: MicrovmProperties,
  acpi: boolean,
  wire: WireGeneration,
): BootPath {
  const { boot } = builder;
  const choice = properties['x-direct-boot'];
  if (choice === 'on') {
    if (boot.kernel === undefined)
      throw new ConfigError('STERNA_ERR_OPTION_VALUE', 'x-direct-boot=on needs -kernel', { path: '-machine microvm' });
    return direct(boot.bios, acpi, wire);
  }
  const name = firmwareName(acpi, wire);
  const bios = boot.bios ?? boot.findFirmware(name);
  if (bios !== undefined) return { direct: false, bios: checkedFirmware(bios) };
  if (choice === 'auto' && boot.kernel !== undefined) return direct(undefined, acpi, wire);
  const hint =
    boot.kernel === undefined ? 'give -kernel or -bios' : 'install it, give -bios, or leave x-direct-boot on auto';
  throw new ConfigError('STERNA_ERR_OPTION_VALUE', `firmware ${name} is not installed; ${hint}`, { path: '-bios' });
}

/** QEMU's file names. Up to 7.2 the ACPI firmware was the same file as qboot. */
function firmwareName(acpi: boolean, wire: WireGeneration): string {
  return acpi && wire.largeAcpiFirmware ? 'bios-microvm.bin' : 'qboot.rom';
}

/** With `-bios` beside a direct boot only its size counts: the peer of a migration may need it. */
function direct(bios: Uint8Array | undefined, acpi: boolean, wire: WireGeneration): BootPath {
  const size = bios === undefined ? defaultBiosSize(acpi, wire.largeAcpiFirmware) : checkedFirmware(bios).length;
  return { direct: true, bios: resetStub(size) };
}

function checkedFirmware(bios: Uint8Array): Uint8Array {
  if (bios.length === 0 || bios.length % FIRMWARE_UNIT !== 0 || bios.length > FIRMWARE_MAX) {
    throw imageError('firmware', `${bios.length} bytes; it must be a multiple of 64 KiB and at most 16 MiB`);
  }
  return bios;
}

/**
 * The option ROM that loads a kernel.
 *
 * @throws ConfigError `STERNA_ERR_OPTION_VALUE` when it is not installed.
 */
export function optionRom(boot: BootImages, name: string): { readonly name: string; readonly bytes: Uint8Array } {
  const bytes = boot.findFirmware(name);
  if (bytes === undefined) {
    throw new ConfigError(
      'STERNA_ERR_OPTION_VALUE',
      `option ROM ${name} is not installed; install QEMU's firmware files, or use x-direct-boot=on or x-option-roms=off`,
      { path: '-kernel' },
    );
  }
  return { name, bytes };
}

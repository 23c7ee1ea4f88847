import type { BootImages, MachineBuilder } from '@sterna/core';
import { describe, expect, it } from 'vitest';
import { chooseBootPath, optionRom } from '../../src/machine/boot-path.ts';
import type { MicrovmProperties } from '../../src/machine/properties.ts';
import { WIRE_GENERATIONS, type WireName } from '../../src/machine/wire.ts';

const FILES: Readonly<Record<string, number>> = { 'qboot.rom': 0x1_0000, 'bios-microvm.bin': 0x2_0000 };

function choose(options: {
  boot?: Partial<BootImages>;
  direct?: 'on' | 'off' | 'auto';
  installed?: boolean;
  acpi?: boolean;
  wire?: WireName;
}) {
  const { boot = {}, direct = 'auto', installed = true, acpi = true, wire = 'compat' } = options;
  const findFirmware = (name: string) =>
    installed && FILES[name] !== undefined ? new Uint8Array(FILES[name]).fill(1) : undefined;
  const builder = { boot: { findFirmware, ...boot } } as unknown as MachineBuilder;
  return chooseBootPath(builder, { 'x-direct-boot': direct } as MicrovmProperties, acpi, WIRE_GENERATIONS[wire]);
}
const kernel = new Uint8Array(1);

describe('boot path', () => {
  it.each([
    ['SeaBIOS with ACPI', {}, 0x2_0000],
    ['qboot without ACPI', { acpi: false }, 0x1_0000],
    ['qboot with ACPI for the wire of 7.2', { wire: 'qemu-7.2' }, 0x1_0000],
    ['the firmware of -bios', { boot: { bios: new Uint8Array(0x4_0000) } }, 0x4_0000],
  ] as const)('takes %s', (_, options, size) => {
    const path = choose(options);
    expect([path.direct, path.bios.length]).toEqual([false, size]);
  });

  it.each([
    ['no firmware is installed', { installed: false, boot: { kernel } }, 0x2_0000],
    ['the user wants it', { direct: 'on', boot: { kernel }, acpi: false }, 0x1_0000],
    [
      'the user wants it beside -bios, which gives the size',
      { direct: 'on', boot: { kernel, bios: new Uint8Array(0x3_0000) } },
      0x3_0000,
    ],
  ] as const)('starts the kernel directly when %s', (_, options, size) => {
    const path = choose(options);
    expect([path.direct, path.bios.length]).toEqual([true, size]);
  });

  it.each([
    ['nothing to start', { installed: false }, /bios-microvm\.bin is not installed; give -kernel or -bios/],
    [
      'firmware that is wanted but missing',
      { installed: false, direct: 'off', boot: { kernel } },
      /leave x-direct-boot on auto/,
    ],
    ['a direct boot without a kernel', { direct: 'on' }, /x-direct-boot=on needs -kernel/],
    [
      'firmware of an odd size',
      { boot: { bios: new Uint8Array(1000) } },
      /1000 bytes; it must be a multiple of 64 KiB/,
    ],
  ] as const)('refuses %s', (_, options, message) => {
    expect(() => choose(options)).toThrow(message);
  });

  it('says which option ROM is missing', () => {
    expect(() => optionRom({ findFirmware: () => undefined }, 'pvh.bin')).toThrow(
      /option ROM pvh\.bin is not installed/,
    );
  });
});

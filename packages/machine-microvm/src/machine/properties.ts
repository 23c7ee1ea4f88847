import { ConfigError, type PropertyValues, prop } from '@sterna/core';
import { WIRE_NAMES } from './wire.ts';

/** Properties of `-machine microvm`, with QEMU's names and defaults; those of our own begin with `x-` or are `wire`. */
export const MICROVM_PROPERTIES = {
  acpi: prop.onOffAuto({ default: 'auto', help: 'ACPI tables and the generic event device' }),
  ioapic2: prop.onOffAuto({ default: 'auto', help: 'Second IO-APIC, for 24 virtio transports (only with acpi)' }),
  pic: prop.onOffAuto({ default: 'auto', help: 'Two 8259 interrupt controllers' }),
  pit: prop.onOffAuto({ default: 'auto', help: '8254 interval timer' }),
  rtc: prop.onOffAuto({ default: 'auto', help: 'MC146818 real-time clock' }),
  'isa-serial': prop.bool({ default: true, help: 'One 16550A serial port when a -serial is given' }),
  pcie: prop.onOffAuto({ default: 'auto', help: 'PCI Express host bridge; not available here' }),
  usb: prop.bool({ default: false, help: 'xHCI controller; not available here' }),
  'auto-kernel-cmdline': prop.bool({
    default: true,
    help: 'With acpi=off, append virtio_mmio.device= for each populated transport to the kernel command line',
  }),
  'x-option-roms': prop.bool({ default: true, help: 'Offer the option ROM that loads the kernel to the firmware' }),
  'x-direct-boot': prop.onOffAuto({
    default: 'auto',
    help: 'Start the kernel without firmware; auto: when no firmware file is given or installed',
  }),
  wire: prop.enum(WIRE_NAMES, {
    default: 'compat',
    help: 'Generation of the migration stream; compat is what all supported QEMU versions accept',
  }),
} as const;

/** Values of {@link MICROVM_PROPERTIES}. */
export type MicrovmProperties = PropertyValues<typeof MICROVM_PROPERTIES>;

/** Which parts a microvm has. */
export interface MicrovmFeatures {
  readonly acpi: boolean;
  readonly ioapics: 1 | 2;
  readonly pic: boolean;
  readonly pit: boolean;
  readonly rtc: boolean;
}

/**
 * Resolves the `auto` values as QEMU does without an in-kernel interrupt controller.
 *
 * @throws ConfigError `STERNA_ERR_UNSUPPORTED` for parts that do not exist here.
 */
export function microvmFeatures(properties: MicrovmProperties): MicrovmFeatures {
  for (const [name, on] of [
    ['pcie', properties.pcie === 'on'],
    ['usb', properties.usb],
  ] as const) {
    if (on)
      throw new ConfigError('STERNA_ERR_UNSUPPORTED', `${name}=on is not supported yet`, { path: '-machine microvm' });
  }
  const acpi = properties.acpi !== 'off';
  return {
    acpi,
    ioapics: acpi && properties.ioapic2 !== 'off' ? 2 : 1,
    pic: properties.pic !== 'off',
    pit: properties.pit !== 'off',
    rtc: properties.rtc !== 'off',
  };
}

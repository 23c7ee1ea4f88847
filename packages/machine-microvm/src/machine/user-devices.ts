import { busService, ConfigError, type DeviceSpec, type MachineBuilder } from '@sterna/core';
import { pcTestdev, TEST_IRQ_LINES } from '@sterna/platform-x86';
import type { MicrovmFeatures } from './properties.ts';

/**
 * Where devices go whose `-device` does not say: each gets 16 MiB of its own from 0xd0000000 on (its regions 1 MiB
 * apart), and one interrupt from a fixed list. QEMU keeps this window for PCI Express, which is off here. The result
 * depends only on the order of the devices and on the addresses that others ask for.
 */
export const USER_WINDOW = { base: 0xd000_0000, end: 0xe000_0000, slot: 0x100_0000, region: 0x10_0000 } as const;

/** Interrupts for devices that do not ask for one, in order; none of them belongs to a built-in device. */
export function userInterrupts(features: MicrovmFeatures): readonly number[] {
  if (!features.acpi) return [13, 14, 15, 3, 7, 6, 5];
  const isa = [11, 10, 13, 14, 15, 12, 3, 5, 6, 7];
  return features.ioapics > 1 ? [...isa, 16, 17, 18, 19, 20, 21, 22, 23] : isa;
}

/**
 * Gives addresses to the user's memory-mapped devices that have none.
 *
 * @param hasBus - whether a plugin has brought a bus of this name along; devices on it have their own addresses
 * @throws ConfigError `STERNA_ERR_BUS_ADDRESS` when the window or the list of interrupts is used up, or for a bus that
 * this machine does not have.
 */
export function addressUserDevices(
  specs: readonly DeviceSpec[],
  features: MicrovmFeatures,
  hasBus: (name: string) => boolean = () => false,
): readonly DeviceSpec[] {
  const taken = specs.flatMap((spec) => numbers(spec.at?.['mmio']));
  const takenIrqs = new Set(specs.flatMap((spec) => numbers(spec.at?.['irq'])));
  const irqs = userInterrupts(features).filter((irq) => !takenIrqs.has(irq));
  const { base, end, slot, region } = USER_WINDOW;
  const slots: number[] = [];
  for (let at = base; at < end; at += slot) if (!taken.some((used) => used >= at && used < at + slot)) slots.push(at);
  return specs.map((spec) => {
    const { bus, name } = spec.type.descriptor;
    if (spec.type === pcTestdev) return { ...spec, at: { ...spec.at, irq: [...Array(TEST_IRQ_LINES).keys()] } };
    if (bus === 'isa' || (bus !== 'sysbus' && hasBus(String(bus)))) return spec;
    if (bus !== 'sysbus')
      throw new ConfigError(
        'STERNA_ERR_BUS_ADDRESS',
        `device ${name} needs a ${String(bus)} bus, which microvm does not have`,
      );
    const next = (list: number[], what: string): number => {
      const value = list.shift();
      if (value === undefined)
        throw new ConfigError('STERNA_ERR_BUS_ADDRESS', `device ${name}: no free ${what} is left; give ${what}=`);
      return value;
    };
    const at = spec.at ?? {};
    const mmio = at['mmio'] ?? regionsFrom(next(slots, 'mmio'), slot / region, region);
    return { ...spec, at: { ...at, mmio, irq: at['irq'] ?? next(irqs, 'irq') } };
  });
}

function regionsFrom(base: number, count: number, step: number): number[] {
  return Array.from({ length: count }, (_, i) => base + i * step);
}

function numbers(value: unknown): number[] {
  if (value === undefined) return [];
  return Array.isArray(value) ? (value as number[]) : [value as number];
}

/** Adds the user's devices in their order. */
export function makeUserDevices(builder: MachineBuilder, features: MicrovmFeatures): void {
  const hasBus = (name: string): boolean => builder.scope.has(busService(name));
  for (const spec of addressUserDevices(builder.userDevices, features, hasBus)) builder.device(spec);
}

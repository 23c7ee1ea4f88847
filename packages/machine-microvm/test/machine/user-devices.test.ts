import { type DeviceSpec, defineDevice } from '@sterna/core';
import { describe, expect, it } from 'vitest';
import type { MicrovmFeatures } from '../../src/machine/properties.ts';
import { addressUserDevices } from '../../src/machine/user-devices.ts';

const device = defineDevice({
  name: 'test-device',
  bus: 'sysbus',
  description: 'A device',
  create: () => ({}),
  vmstate: 'stateless',
});
const isa = defineDevice({
  name: 'test-isa',
  bus: 'isa',
  description: 'A device on ports',
  create: () => ({}),
  vmstate: 'stateless',
});
const FEATURES: MicrovmFeatures = { acpi: true, ioapics: 2, pic: true, pit: true, rtc: true };
const addresses = (specs: readonly DeviceSpec[], features = FEATURES) =>
  addressUserDevices(specs, features).map(({ at }) => [[at?.['mmio']].flat()[0], at?.['irq']]);

describe('devices of the user', () => {
  it('get their own windows and interrupts in order', () => {
    expect(addresses([device({}), device({})])).toEqual([
      [0xd000_0000, 11],
      [0xd100_0000, 10],
    ]);
  });

  it('keep addresses that were given, and others go around them', () => {
    const specs = addressUserDevices([device({}), device({ at: { mmio: 0xd000_1000, irq: 11 } })], FEATURES);
    expect(specs[0]?.at).toMatchObject({ irq: 10, mmio: expect.arrayContaining([0xd100_0000]) });
    expect(specs[1]?.at).toEqual({ mmio: 0xd000_1000, irq: 11 });
  });

  it('get interrupts that no transport has when there is no ACPI', () => {
    expect(addresses([device({})], { ...FEATURES, acpi: false, ioapics: 1 })).toEqual([[0xd000_0000, 13]]);
  });

  it('stay where they are on the ISA bus', () => {
    const spec = isa({ at: { iobase: 0x500 } });
    expect(addressUserDevices([spec], FEATURES)).toEqual([spec]);
  });

  it('live on a bus that a plugin brings along, and on no other', () => {
    const spec = { ...device({}), type: { ...isa, descriptor: { ...isa.descriptor, bus: 'two-wire' } } };
    expect(addressUserDevices([spec], FEATURES, (bus) => bus === 'two-wire')).toEqual([spec]);
    expect(() => addressUserDevices([spec], FEATURES)).toThrow(/needs a two-wire bus, which microvm does not have/);
  });

  it('are refused when windows or interrupts are used up', () => {
    expect(() => addresses(Array.from({ length: 17 }, () => device({ at: { irq: 5 } })))).toThrow(
      /no free mmio is left; give mmio=/,
    );
    expect(() =>
      addresses(
        Array.from({ length: 8 }, () => device({})),
        { ...FEATURES, acpi: false, ioapics: 1 },
      ),
    ).toThrow(/no free irq is left/);
  });
});

import { defineDevice, Hooks, prop, VirtualClock } from '@sterna/core';
import { ApicBus } from '../apic/apic-bus.ts';
import { LoadGate } from '../support/load-gate.ts';
import { IoApic } from './chip.ts';
import { ioapicState } from './state.ts';

/** An IO-APIC with 24 pins. */
export const ioapic = defineDevice({
  name: 'ioapic',
  bus: 'sysbus',
  description: 'IO-APIC with 24 pins',
  properties: {
    version: prop.u32({ default: 0x20, help: 'Version register: 0x11, or 0x20 with an EOI register' }),
  },
  inject: [ApicBus, VirtualClock, Hooks],
  create({ version }: { readonly version: number }, bus: ApicBus, clock: VirtualClock, hooks: Hooks) {
    if (version !== 0x11 && version !== 0x20)
      throw new RangeError(`ioapic: version ${version} is neither 0x11 nor 0x20`);
    return new IoApic(version, bus, clock, new LoadGate('ioapic', hooks));
  },
  regions: (chip) => [
    {
      name: 'ioapic',
      space: 'mmio',
      size: 0x1000,
      read: (offset, size) => chip.read(offset, size),
      write: (offset, value, size) => chip.write(offset, value, size),
    },
  ],
  reset: { enter: (chip) => chip.reset() },
  realize: (chip) => chip.attach(),
  unrealize: (chip) => chip.detach(),
  vmstate: ioapicState,
});

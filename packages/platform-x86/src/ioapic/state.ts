import type { VmStateTable } from '@sterna/core';
import { IOAPIC_PINS, type IoApic } from './chip.ts';

/** QEMU's `ioapic` section; instance 1 is the second IO-APIC. */
export const ioapicState: VmStateTable<IoApic> = {
  name: 'ioapic',
  version: 3,
  minimumVersion: 1,
  fields: ({ u8, u32, unused, array }) => [
    u8('id'),
    u8('ioregsel'),
    unused(8, { since: 2 }),
    u32('irr', { since: 2 }),
    array('u64', 'ioredtbl', IOAPIC_PINS),
  ],
  preLoad(ioapic) {
    ioapic.irr = 0;
  },
};

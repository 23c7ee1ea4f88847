import { defineDevice, Hooks, IrqLine, prop } from '@sterna/core';
import { byteOps } from '../support/byte-ops.ts';
import { LoadGate } from '../support/load-gate.ts';
import { I8259 } from './chip.ts';
import { i8259State } from './state.ts';

/** One 8259A with its edge/level control register. A PC has a master and a slave on the master's input 2. */
export const i8259 = defineDevice({
  name: 'isa-i8259',
  bus: 'isa',
  description: '8259A programmable interrupt controller',
  properties: {
    master: prop.bool({ default: true, help: 'The controller whose output goes to the CPU' }),
  },
  inject: [IrqLine, Hooks],
  create: ({ master }: { readonly master: boolean }, output: IrqLine, hooks: Hooks) =>
    new I8259(master, output, new LoadGate('isa-i8259', hooks)),
  regions: (chip) => [
    {
      name: 'pic',
      space: 'io',
      size: 2,
      defaultBase: chip.master ? 0x20 : 0xa0,
      ...byteOps(
        (offset) => chip.read(offset),
        (offset, value) => chip.write(offset, value),
      ),
    },
    {
      name: 'elcr',
      space: 'io',
      size: 1,
      defaultBase: chip.master ? 0x4d0 : 0x4d1,
      read: () => chip.elcr,
      write: (_offset, value) => chip.writeElcr(value & 0xff),
    },
  ],
  reset: { enter: (chip) => chip.reset(), hold: (chip) => chip.updateOutput() },
  sectionId: () => 'i8259',
  vmstate: i8259State,
});

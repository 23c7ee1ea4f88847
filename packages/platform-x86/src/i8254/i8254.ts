import { defineDevice, IrqLine, VirtualClock } from '@sterna/core';
import { byteOps } from '../support/byte-ops.ts';
import { I8254 } from './chip.ts';
import { i8254State } from './state.ts';

/** The PC's interval timer. */
export const i8254 = defineDevice({
  name: 'isa-pit',
  bus: 'isa',
  description: '8254 programmable interval timer',
  inject: [IrqLine, VirtualClock],
  create: (_properties: object, irq: IrqLine, clock: VirtualClock) => new I8254(irq, clock),
  regions: (pit) => [
    {
      name: 'pit',
      space: 'io',
      size: 4,
      defaultBase: 0x40,
      ...byteOps(
        (offset) => pit.read(offset),
        (offset, value) => pit.write(offset, value),
      ),
    },
  ],
  reset: { enter: (pit) => pit.reset(), hold: (pit) => pit.lowerIrq() },
  sectionId: () => 'i8254',
  vmstate: i8254State,
});

import type { VmStateTable } from '@sterna/core';
import type { I8259 } from './chip.ts';

/** QEMU's `i8259` section; instance 0 is the master. */
export const i8259State: VmStateTable<I8259> = {
  name: 'i8259',
  version: 1,
  fields: ({ u8 }) => [
    u8('lastIrr'),
    u8('irr'),
    u8('imr'),
    u8('isr'),
    u8('priorityAdd'),
    u8('irqBase'),
    u8('readRegSelect'),
    u8('poll'),
    u8('specialMask'),
    u8('initState'),
    u8('autoEoi'),
    u8('rotateOnAutoEoi'),
    u8('specialFullyNestedMode'),
    u8('init4'),
    u8('singleMode'),
    u8('elcr'),
  ],
  subsections: [
    // Not known to QEMU 7.2.
    { name: 'i8259/ltim', version: 1, needed: (pic) => pic.ltim !== 0, fields: ({ u8 }) => [u8('ltim')] },
  ],
  preLoad(pic) {
    pic.ltim = 0;
  },
  postLoad(pic) {
    if (pic.priorityAdd > 7) throw new RangeError(`i8259: priority_add ${pic.priorityAdd} exceeds 7`);
    if (pic.initState > 3) throw new RangeError(`i8259: init_state ${pic.initState} exceeds 3`);
    pic.updateOutput();
  },
};

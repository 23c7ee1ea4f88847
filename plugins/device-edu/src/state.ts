import type { VmStateTable } from '@sterna/core';
import type { Edu } from './chip.ts';

/** What travels: every register, the buffer, and what is under way. */
export const eduState: VmStateTable<Edu> = {
  name: 'sterna-edu',
  version: 1,
  fields: ({ u32, buffer, timer }) => [
    u32('liveness'),
    u32('factorial'),
    u32('status'),
    u32('irqStatus'),
    u32('dmaSource'),
    u32('dmaTarget'),
    u32('dmaCount'),
    u32('dmaCommand'),
    buffer('buffer'),
    timer('computation'),
    timer('transfer'),
  ],
  subsections: [
    {
      // Seldom: only while pages are missing, after a postcopy switchover or a lazy snapshot.
      name: 'sterna-edu/moving',
      version: 1,
      needed: (dev) => dev.dmaMoving,
      fields: ({ bool }) => [bool('dmaMoving')],
    },
  ],
  preLoad(dev) {
    dev.dmaMoving = false;
  },
  postLoad(dev) {
    // `move` checks the ranges again: nothing of them is trusted because it was checked at the source.
    if (dev.dmaMoving) dev.move();
    dev.syncIrq();
  },
};

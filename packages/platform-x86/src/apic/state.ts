import type { VmStateTable } from '@sterna/core';
import type { LocalApic } from './local-apic.ts';

/** QEMU's `apic` section; the instance is the CPU's index. */
export const apicState: VmStateTable<LocalApic> = {
  name: 'apic',
  version: 3,
  priority: 'apic',
  fields: ({ u32, u8, array, i32, ns }) => [
    u32('apicbase'),
    u8('id'),
    u8('arbId'),
    u8('tpr'),
    u32('spuriousVec'),
    u8('logDest'),
    u8('destMode'),
    array('u32', 'isr', 8),
    array('u32', 'tmr', 8),
    array('u32', 'irr', 8),
    array('u32', 'lvt', 6),
    u32('esr'),
    array('u32', 'icr', 2),
    u32('divideConf'),
    i32('countShift'),
    u32('initialCount'),
    ns('initialCountLoadTime'),
    ns('nextTime'),
    ns('timerExpiry'),
  ],
  subsections: [
    {
      name: 'apic_sipi',
      version: 1,
      needed: (apic) => apic.waitForSipi,
      fields: ({ i32 }) => [
        i32('sipiVector'),
        i32({
          name: 'wait_for_sipi',
          get: (apic) => (apic.waitForSipi ? 1 : 0),
          set: (apic, value) => {
            apic.waitForSipi = value !== 0;
          },
        }),
      ],
    },
  ],
  preLoad(apic) {
    apic.sipiVector = 0;
    apic.waitForSipi = false;
  },
  postLoad(apic) {
    if (apic.countShift < 0 || apic.countShift > 7)
      throw new RangeError(`apic: count_shift ${apic.countShift} is not in 0..7`);
    if (apic.destMode > 0xf) throw new RangeError(`apic: dest_mode ${apic.destMode} exceeds 15`);
    if ((apic.spuriousVec & ~0x1fff) !== 0)
      throw new RangeError(`apic: spurious_vec ${apic.spuriousVec} has reserved bits`);
    if (apic.timerExpiry < -1) throw new RangeError(`apic: timer_expiry ${apic.timerExpiry} is before the epoch`);
    apic.restore();
  },
};

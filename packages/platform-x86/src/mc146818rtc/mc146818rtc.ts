import { defineDevice, IrqLine, prop, RtcClock } from '@sterna/core';
import { byteOps } from '../support/byte-ops.ts';
import { Mc146818Rtc } from './chip.ts';
import { mc146818rtcState } from './state.ts';

/** The PC's real-time clock and CMOS RAM. */
export const mc146818rtc = defineDevice({
  name: 'mc146818rtc',
  bus: 'isa',
  description: 'MC146818 real-time clock with CMOS RAM',
  properties: {
    base_year: prop.u32({
      default: 2000,
      help: 'Year that a year register of 0 stands for; 2000 uses the century byte',
    }),
  },
  inject: [IrqLine, RtcClock],
  create(properties: { readonly base_year: number }, irq: IrqLine, clock: RtcClock) {
    const baseYear = properties.base_year === 2000 ? 0 : properties.base_year;
    return new Mc146818Rtc(irq, clock, baseYear);
  },
  regions: (rtc) => [
    {
      name: 'rtc',
      space: 'io',
      size: 2,
      defaultBase: 0x70,
      ...byteOps(
        (offset) => rtc.read(offset),
        (offset, value) => rtc.write(offset, value),
      ),
    },
  ],
  reset: { enter: (rtc) => rtc.reset(), hold: (rtc) => rtc.updateIrq() },
  vmstate: mc146818rtcState,
});

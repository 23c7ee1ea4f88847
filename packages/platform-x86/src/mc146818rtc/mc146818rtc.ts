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
    'base-offset': prop.string({ default: '0', help: 'Guest time minus RTC clock at power-on, in seconds' }),
  },
  inject: [IrqLine, RtcClock],
  create(
    properties: { readonly base_year: number; readonly 'base-offset': string },
    irq: IrqLine,
    clock: RtcClock,
  ): Mc146818Rtc {
    const offset = properties['base-offset'];
    if (!/^-?[0-9]{1,15}$/.test(offset))
      throw new RangeError(`mc146818rtc: base-offset '${offset}' is not a number of seconds`);
    const baseYear = properties.base_year === 2000 ? 0 : properties.base_year;
    return new Mc146818Rtc(irq, clock, baseYear, BigInt(offset));
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

import type { VmStateTable } from '@sterna/core';
import type { Mc146818Rtc } from './chip.ts';

/** QEMU's `mc146818rtc` section. All times are of the RTC clock. */
export const mc146818rtcState: VmStateTable<Mc146818Rtc> = {
  name: 'mc146818rtc',
  version: 3,
  minimumVersion: 3,
  fields: ({ buffer, u8, unused, timer, i64, u32, u64 }) => [
    buffer('cmosData'),
    u8('cmosIndex'),
    unused(28),
    timer('periodicTimer'),
    i64('nextPeriodicTime'),
    unused(24),
    u32('irqCoalesced'),
    u32('period'),
    u64('baseRtc'),
    u64('lastUpdate'),
    i64('offset'),
    timer('updateTimer'),
    u64('nextAlarmTime'),
  ],
  subsections: [
    {
      name: 'mc146818rtc/irq_reinject_on_ack_count',
      version: 1,
      needed: (rtc) => rtc.irqReinjectOnAckCount !== 0,
      fields: ({ u16 }) => [u16('irqReinjectOnAckCount')],
    },
  ],
  preSave: (rtc) => rtc.refresh(),
  preLoad(rtc) {
    rtc.irqReinjectOnAckCount = 0;
  },
  postLoad: (rtc) => rtc.restore(),
};

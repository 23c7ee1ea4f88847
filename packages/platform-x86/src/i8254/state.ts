import type { VmStateTable } from '@sterna/core';
import type { PitChannel } from './channel.ts';
import type { I8254 } from './chip.ts';

const channel: VmStateTable<PitChannel> = {
  name: 'pit channel',
  version: 2,
  fields: ({ i32, u16, u8, ns }) => [
    i32('count'),
    u16('latchedCount'),
    u8('countLatched'),
    u8('statusLatched'),
    u8('status'),
    u8('readState'),
    u8('writeState'),
    u8('writeLatch'),
    u8('rwMode'),
    u8('mode'),
    u8('bcd'),
    u8('gate'),
    ns('countLoadTime'),
    ns('nextTransitionTime'),
  ],
  postLoad({ count, mode }) {
    if (count < 1 || count > 0x10000) throw new RangeError(`i8254: count ${count} is not in 1..65536`);
    if (mode > 7) throw new RangeError(`i8254: mode ${mode} exceeds 7`);
  },
};

/** QEMU's `i8254` section. */
export const i8254State: VmStateTable<I8254> = {
  name: 'i8254',
  version: 3,
  minimumVersion: 2,
  fields: ({ u32, structArray, ns }) => [
    u32(
      {
        name: 'channels[0].irq_disabled',
        get: (pit) => pit.channels[0]!.irqDisabled,
        set: (pit, value) => {
          pit.channels[0]!.irqDisabled = value;
        },
      },
      { since: 3 },
    ),
    structArray('channels', channel, 3),
    // Counter 0's deadline once more, where versions before 3 had a timer.
    ns({
      name: 'channels[0].next_transition_time',
      get: (pit) => pit.channels[0]!.nextTransitionTime,
      set: (pit, value) => {
        pit.channels[0]!.nextTransitionTime = value;
      },
    }),
  ],
  postLoad: (pit) => pit.restore(),
};

import { defineDevice, MachineControl } from '@sterna/core';

/** Lets a program end the machine: by powering off, by a reset, or with an exit code for whoever started it. */
export const cr16Power = defineDevice({
  name: 'cr16-power',
  bus: 'sysbus',
  description: 'CR16 board power, reset and exit code',
  inject: [MachineControl],
  create: (_, control) => ({ control }),
  registers: ({ control }) => ({
    OFF: { offset: 0x0, write: () => control.requestShutdown('guest-shutdown') },
    RESET: { offset: 0x4, write: () => control.requestReset('guest-reset') },
    EXIT: { offset: 0x8, write: (value) => control.requestExit(value & 0x7f) },
  }),
  vmstate: 'stateless',
});

import { defineDevice, MachineControl, prop } from '@sterna/core';

/** Ends the emulator when the guest writes its port: the exit code is the written value times two plus one. */
export const isaDebugExit = defineDevice({
  name: 'isa-debug-exit',
  bus: 'isa',
  description: 'Port that ends the emulator, for test guests',
  properties: {
    iobase: prop.u16({ default: 0x501, help: 'Port' }),
    iosize: prop.u8({ default: 2, help: 'Number of ports' }),
  },
  inject: [MachineControl],
  create: ({ iobase, iosize }, control) => ({ iobase, iosize, control }),
  regions: ({ iobase, iosize, control }) => [
    {
      name: 'isa-debug-exit',
      space: 'io',
      size: iosize,
      defaultBase: iobase,
      read: () => 0,
      write: (_offset, value) => control.requestExit(((value & 0x7f) << 1) | 1),
    },
  ],
  vmstate: 'stateless',
});

import { CharBackend, defineDevice, prop } from '@sterna/core';
import { byteOps } from '../support/byte-ops.ts';

/** A port whose bytes go to a character backend; firmware prints there. */
export const isaDebugcon = defineDevice({
  name: 'isa-debugcon',
  bus: 'isa',
  description: 'Debug console port',
  properties: {
    iobase: prop.u16({ default: 0xe9, help: 'Port' }),
    readback: prop.u32({ default: 0xe9, help: 'Value that a read answers' }),
    chardev: prop.chardev({ help: 'Character backend that gets the bytes' }),
  },
  inject: [CharBackend],
  create({ iobase, readback }, backend) {
    // The port has no input.
    backend.attach({ canReceive: () => 0, receive: () => {} });
    return { iobase, readback, backend, byte: new Uint8Array(1) };
  },
  regions: ({ iobase, readback, backend, byte }) => [
    {
      name: 'isa-debugcon',
      space: 'io',
      size: 1,
      defaultBase: iobase,
      ...byteOps(
        () => readback & 0xff,
        (_offset, value) => {
          byte[0] = value;
          // A backend that is full loses the byte, as QEMU's does: the port has no way to make the guest wait.
          backend.write(byte);
        },
      ),
    },
  ],
  unrealize: ({ backend }) => backend.attach(undefined),
  vmstate: 'stateless',
});

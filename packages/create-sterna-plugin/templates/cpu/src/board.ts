import { CharBackend, defineDevice, defineMachineType, prop } from '@sterna/core';
import { myThing } from './my-thing.ts';

/** Where the board has its console. */
export const CONSOLE_BASE = 0xf0_0000;

/** A byte written to its only register appears on the first serial port. */
const boardConsole = defineDevice({
  name: 'my-thing-console',
  bus: 'sysbus',
  description: 'Console of the my-thing board',
  properties: { chardev: prop.chardev({ help: 'Where the bytes go' }) },
  inject: [CharBackend],
  create: (_, backend) => ({ put: (byte: number) => void backend.write(Uint8Array.of(byte)) }),
  registers: (dev) => ({ PUT: { offset: 0, write: (value) => dev.put(value & 0xff) } }),
  vmstate: 'stateless',
});

/** A board for the processor: RAM at 0, into which `-kernel` is put as it is, and a console. */
export const myThingBoard = defineMachineType({
  name: 'my-thing-board',
  description: 'RAM and a console for the my-thing processor',
  properties: {},
  defaultRamSize: 1 << 20,
  maxCpus: 1,
  defaultCpu: myThing,
  cpus: [myThing],
  devices: [boardConsole],
  build(builder) {
    const block = builder.ram('board.ram', builder.ramSize);
    builder.physical.map(0, { kind: 'ram', name: 'board.ram', block, offset: 0, size: builder.ramSize });
    builder.createCpus();
    const [chardev] = builder.serials;
    builder.device(
      boardConsole({ id: 'console', at: { mmio: CONSOLE_BASE }, ...(chardev === undefined ? {} : { chardev }) }),
    );
    for (const spec of builder.userDevices) builder.device(spec);
    const { kernel } = builder.boot;
    if (kernel !== undefined) {
      if (kernel.length > builder.ramSize) throw new RangeError(`the kernel's ${kernel.length} bytes do not fit RAM`);
      builder.onReset(() => builder.memory.u8.set(kernel, block.hostOffset));
    }
  },
});

import { CharBackend, defineDevice, IrqLine, prop, VirtualClock } from '@sterna/core';
import { byteOps } from '../support/byte-ops.ts';
import { serialState } from './state.ts';
import { Uart16550A } from './uart-16550a.ts';

/** A 16550A on eight ports; COM1 unless told otherwise. */
export const isaSerial = defineDevice({
  name: 'isa-serial',
  bus: 'isa',
  description: '16550A UART on the ISA bus',
  properties: {
    chardev: prop.chardev({ help: 'Character backend that the line is connected to' }),
    baudbase: prop.u32({ default: 115200, help: 'Input clock divided by 16, in Hz' }),
  },
  inject: [IrqLine, VirtualClock, CharBackend],
  create({ baudbase }: { readonly baudbase: number }, irq: IrqLine, clock: VirtualClock, backend: CharBackend) {
    const uart = new Uart16550A(irq, clock, backend, baudbase);
    backend.attach(uart);
    return uart;
  },
  regions: (uart) => [
    {
      name: 'serial',
      space: 'io',
      size: 8,
      defaultBase: 0x3f8,
      ...byteOps(
        (offset) => uart.read(offset),
        (offset, value) => uart.write(offset, value),
      ),
    },
  ],
  unrealize: (uart) => uart.disconnect(),
  reset: { enter: (uart) => uart.reset(), hold: (uart) => uart.updateIrq() },
  sectionId: () => 'serial',
  vmstate: serialState,
});

import { CharBackend, defineDevice, IrqLine, prop } from '@sterna/core';

/** Bytes that wait for the program. */
const FIFO_LENGTH = 16;
const STAT_RX = 1 << 0;
const STAT_TX = 1 << 1;
const CTRL_RX_IRQ = 1 << 0;

/** A transmitter that is always ready and a receiver with a queue. */
class Uart {
  readonly fifo = new Uint8Array(FIFO_LENGTH);
  count = 0;
  ctrl = 0;
  readonly #backend: CharBackend;
  readonly #irq: IrqLine;

  constructor(backend: CharBackend, irq: IrqLine) {
    this.#backend = backend;
    this.#irq = irq;
    backend.attach({
      canReceive: () => FIFO_LENGTH - this.count,
      receive: (bytes) => {
        this.fifo.set(bytes, this.count);
        this.count += bytes.length;
        this.update();
      },
    });
  }

  update(): void {
    this.#irq.set(this.count > 0 && (this.ctrl & CTRL_RX_IRQ) !== 0);
  }
  send(byte: number): void {
    this.#backend.write(Uint8Array.of(byte));
  }
  take(): number {
    if (this.count === 0) return 0;
    const byte = this.fifo[0]!;
    this.fifo.copyWithin(0, 1);
    this.count--;
    this.update();
    this.#backend.acceptInput();
    return byte;
  }
}

/** The serial port of the CR16 board. */
export const cr16Uart = defineDevice({
  name: 'cr16-uart',
  bus: 'sysbus',
  description: 'CR16 board serial port',
  properties: { chardev: prop.chardev({ help: 'Where the bytes go' }) },
  inject: [CharBackend, IrqLine],
  create: (_, backend, irq) => new Uart(backend, irq),
  registers: (uart) => ({
    DATA: { offset: 0x0, read: () => uart.take(), write: (value) => uart.send(value & 0xff) },
    STAT: { offset: 0x4, read: () => STAT_TX | (uart.count > 0 ? STAT_RX : 0) },
    CTRL: {
      offset: 0x8,
      read: () => uart.ctrl,
      write: (value) => {
        uart.ctrl = value & CTRL_RX_IRQ;
        uart.update();
      },
    },
  }),
  reset: (uart) => {
    uart.fifo.fill(0);
    uart.count = uart.ctrl = 0;
    uart.update();
  },
  vmstate: {
    name: 'cr16-uart',
    version: 1,
    fields: ({ u8, buffer }) => [u8('ctrl'), u8('count'), buffer('fifo')],
    postLoad(uart) {
      if (uart.count > FIFO_LENGTH) throw new RangeError(`${uart.count} bytes in a queue of ${FIFO_LENGTH}`);
      uart.update();
    },
  },
});

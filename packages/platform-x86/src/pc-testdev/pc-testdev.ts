import { defineDevice, type IrqLine, IrqLines } from '@sterna/core';
import { byteOps } from '../support/byte-ops.ts';

/** Bytes of the memory window at 0xff000000. */
const WINDOW = 0x1_0000;
/** Lines that the interrupt ports can drive: those of an ISA bus. */
export const TEST_IRQ_LINES = 16;
/** Interrupt ports; those behind the last line lead nowhere. */
const IRQ_PORTS = 24;

/** What the test device remembers: a latch on ports and a buffer in memory. */
class PcTestdev {
  readonly latch = new Uint8Array(4);
  readonly window = new Uint8Array(WINDOW);
  readonly lines: readonly IrqLine[];

  constructor(lines: readonly IrqLine[]) {
    this.lines = lines;
  }
}

/** Little-endian bytes as a device register; an access that leaves the array sees zeros there. */
const bytesOps = (bytes: Uint8Array) =>
  byteOps(
    (offset) => bytes[offset] ?? 0,
    (offset, value) => {
      bytes[offset] = value;
    },
  );

/**
 * The device that kvm-unit-tests talk to: a four-byte latch on two port ranges (0xe0, and 0xe8 whose bus is one byte
 * wide), a port whose write asks the host to remap a guest page (0xe4), ports that drive interrupt lines directly
 * (0x2000 + line, any value but 0 is high), and 64 KiB of memory that is a device (0xff000000).
 */
export const pcTestdev = defineDevice({
  name: 'pc-testdev',
  bus: 'isa',
  description: 'Test device of kvm-unit-tests: port latch, interrupt lines, memory window',
  inject: [IrqLines],
  create: (_properties, lines) => new PcTestdev(lines),
  regions: ({ latch, window, lines }) => [
    { name: 'ioport', space: 'io', size: 4, defaultBase: 0xe0, ...bytesOps(latch) },
    // Here no translation of a guest page is ever held by the host, so there is nothing to drop.
    { name: 'flush-page', space: 'io', size: 4, defaultBase: 0xe4, read: () => 0, write: () => {} },
    { name: 'ioport-byte', space: 'io', size: 4, defaultBase: 0xe8, ...bytesOps(latch) },
    {
      name: 'irq-line',
      space: 'io',
      size: IRQ_PORTS,
      defaultBase: 0x2000,
      read: () => 0,
      // QUIRK: as on QEMU a wider write reaches no line at all.
      write: (line, level, size) => (size === 1 ? lines[line]?.set(level !== 0) : undefined),
    },
    { name: 'iomem', space: 'mmio', size: WINDOW, defaultBase: 0xff00_0000, ...bytesOps(window) },
  ],
  // As on QEMU nothing of it travels: a test does not migrate with values in the latch.
  vmstate: 'stateless',
});

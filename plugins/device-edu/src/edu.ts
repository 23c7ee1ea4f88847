import { Dma, defineDevice, IrqLine, Logger, type PropertyValues, prop, VirtualClock } from '@sterna/core';
import { BUFFER_BASE, BUFFER_SIZE, Edu, ID } from './chip.ts';
import { eduState } from './state.ts';

const PROPERTIES = {
  'dma-mask': prop.u64({ default: 2 ** 28 - 1, help: 'Highest guest address that DMA reaches' }),
  'factorial-us': prop.u32({ default: 100, help: 'Time of one computation in microseconds' }),
  'dma-us': prop.u32({ default: 100, help: 'Time before a transfer begins in microseconds' }),
};

/** A teaching device after QEMU's `edu`: registers, an interrupt, a computation that takes time, and DMA. */
export const edu = defineDevice({
  name: 'sterna-edu',
  bus: 'sysbus',
  description: 'Teaching device with DMA and interrupts',
  properties: PROPERTIES,
  inject: [IrqLine, VirtualClock, Dma, Logger],
  // The types are written out because the state table below is not.
  create(properties: PropertyValues<typeof PROPERTIES>, irq: IrqLine, clock: VirtualClock, dma: Dma, logger: Logger) {
    const settings = {
      dmaMask: properties['dma-mask'],
      factorialNs: properties['factorial-us'] * 1000,
      dmaNs: properties['dma-us'] * 1000,
    };
    return new Edu(settings, { irq, clock, dma, logger });
  },
  registers: (dev) => ({
    ID: { offset: 0x00, read: () => ID },
    LIVENESS: {
      offset: 0x04,
      read: () => ~dev.liveness >>> 0,
      write(value) {
        dev.liveness = value;
      },
    },
    FACTORIAL: { offset: 0x08, read: () => dev.factorial, write: (value) => dev.compute(value) },
    STATUS: { offset: 0x20, read: () => dev.readStatus(), write: (value) => dev.writeStatus(value) },
    IRQ_STATUS: { offset: 0x24, read: () => dev.irqStatus },
    IRQ_RAISE: { offset: 0x60, write: (value) => dev.raise(value) },
    IRQ_ACK: { offset: 0x64, write: (value) => dev.acknowledge(value) },
    DMA_SOURCE: {
      offset: 0x80,
      read: () => dev.dmaSource,
      write: (value) => dev.setDma('dmaSource', value),
    },
    DMA_TARGET: {
      offset: 0x88,
      read: () => dev.dmaTarget,
      write: (value) => dev.setDma('dmaTarget', value),
    },
    DMA_COUNT: { offset: 0x90, read: () => dev.dmaCount, write: (value) => dev.setDma('dmaCount', value) },
    DMA_COMMAND: { offset: 0x98, read: () => dev.dmaCommand, write: (value) => dev.startDma(value) },
  }),
  reset: (dev) => dev.reset(),
  vmstate: eduState,
});

/** Where DMA sees the device's own buffer, and its bytes. */
export const EDU_BUFFER = { base: BUFFER_BASE, size: BUFFER_SIZE } as const;

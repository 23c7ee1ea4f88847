import type { VmStateSubsection, VmStateTable } from '@sterna/core';
import type { Fifo8 } from './fifo8.ts';
import { IER_THRI, IIR_ID, IIR_THRI, LCR_BREAK, LSR_TEMT } from './registers.ts';
import { MAX_XMIT_RETRY, type Uart16550A } from './uart-16550a.ts';

const fifo8: VmStateTable<Fifo8> = {
  name: 'Fifo8',
  version: 1,
  fields: ({ buffer, u32 }) => [buffer('data'), u32('head'), u32('num')],
};

/** THRE interrupt state as the identification register shows it. */
function shownThrIpending(uart: Uart16550A): number {
  return (uart.iir & IIR_ID) === IIR_THRI ? 1 : 0;
}

const subsections: readonly VmStateSubsection<Uart16550A>[] = [
  {
    name: 'serial/thr_ipending',
    version: 1,
    // With THRI off the flag is sampled again when THRI comes on.
    needed: (uart) => (uart.ier & IER_THRI) !== 0 && uart.thrIpending !== shownThrIpending(uart),
    fields: ({ i32 }) => [i32('thrIpending')],
  },
  {
    name: 'serial/tsr',
    version: 1,
    needed: (uart) => uart.tsrRetry !== 0,
    fields: ({ u32, u8 }) => [u32('tsrRetry'), u8('thr'), u8('tsr')],
  },
  {
    name: 'serial/recv_fifo',
    version: 1,
    needed: (uart) => !uart.recvFifo.empty,
    fields: ({ struct }) => [struct('recvFifo', fifo8)],
    postLoad: (uart) => uart.recvFifo.check('recv_fifo'),
  },
  {
    name: 'serial/xmit_fifo',
    version: 1,
    needed: (uart) => !uart.xmitFifo.empty,
    fields: ({ struct }) => [struct('xmitFifo', fifo8)],
    postLoad: (uart) => uart.xmitFifo.check('xmit_fifo'),
  },
  {
    name: 'serial/fifo_timeout_timer',
    version: 1,
    needed: (uart) => uart.fifoTimeout.expiryNs !== -1,
    fields: ({ timer }) => [timer('fifoTimeout', { name: 'fifo_timeout_timer' })],
  },
  {
    name: 'serial/timeout_ipending',
    version: 1,
    needed: (uart) => uart.timeoutIpending !== 0,
    fields: ({ i32 }) => [i32('timeoutIpending')],
  },
  {
    // A source with a real serial port polls its modem lines; here there are none to poll.
    name: 'serial/poll',
    version: 1,
    needed: () => false,
    fields: ({ unused }) => [unused(4, { name: 'poll_msl' }), unused(8, { name: 'modem_status_poll' })],
  },
];

const uart: VmStateTable<Uart16550A> = {
  name: 'serial',
  version: 3,
  minimumVersion: 2,
  fields: ({ u16, u8 }) => [
    u16('divider', { since: 2 }),
    u8('rbr'),
    u8('ier'),
    u8('iir'),
    u8('lcr'),
    u8('mcr'),
    u8('lsr'),
    u8('msr'),
    u8('scr'),
    u8('fcr', { name: 'fcr_vmstate', since: 3 }),
  ],
  subsections,
  preLoad(dev) {
    dev.fcr = 0;
    dev.thrIpending = -1;
    dev.tsrRetry = 0;
    dev.timeoutIpending = 0;
    dev.recvFifo.reset();
    dev.xmitFifo.reset();
    dev.fifoTimeout.cancel();
  },
  postLoad(dev) {
    if (dev.thrIpending === -1) dev.thrIpending = shownThrIpending(dev);
    const empty = (dev.lsr & LSR_TEMT) !== 0;
    if (empty !== (dev.tsrRetry === 0)) {
      throw new RangeError(`serial: LSR 0x${dev.lsr.toString(16)} contradicts tsr_retry ${dev.tsrRetry}`);
    }
    dev.tsrRetry = Math.min(dev.tsrRetry, MAX_XMIT_RETRY);
    dev.lastBreak = (dev.lcr & LCR_BREAK) !== 0;
    dev.setFifoControl(dev.fcr);
    dev.updateParameters();
    dev.updateIrq();
    if (dev.tsrRetry > 0) dev.waitForBackend();
  },
};

/** QEMU's `serial` section of an ISA UART: the chip as a nested struct. */
export const serialState: VmStateTable<Uart16550A> = {
  name: 'serial',
  version: 3,
  minimumVersion: 2,
  fields: ({ structOf }) => [structOf('state', (dev) => dev, uart)],
};

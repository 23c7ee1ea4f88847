import type { CharBackend, CharFrontend, IrqLine, Timer, VirtualClock } from '@sterna/core';
import { Fifo8 } from './fifo8.ts';
import {
  FCR_FE,
  FCR_RFR,
  FCR_STICKY,
  FCR_XFR,
  FIFO_LENGTH,
  IER_MSI,
  IER_RDI,
  IER_RLSI,
  IER_THRI,
  IIR_CTI,
  IIR_FE,
  IIR_ID,
  IIR_MSI,
  IIR_NO_INT,
  IIR_RDI,
  IIR_RLSI,
  IIR_THRI,
  LCR_BREAK,
  LCR_DLAB,
  LCR_PARITY,
  LCR_STOP,
  LSR_BI,
  LSR_DR,
  LSR_INT_ANY,
  LSR_OE,
  LSR_TEMT,
  LSR_THRE,
  MCR_DTR,
  MCR_LOOP,
  MCR_OUT2,
  MCR_RTS,
  MSR_ANY_DELTA,
  MSR_CTS,
  MSR_DCD,
  MSR_DSR,
  TRIGGER_LEVELS,
} from './registers.ts';

/** Attempts to hand one byte to a backend that takes none, before the byte is dropped. */
export const MAX_XMIT_RETRY = 4;
/** Character times without a read after which waiting bytes raise the timeout interrupt (data sheet 8.4). */
const TIMEOUT_CHARACTERS = 4;

/**
 * A 16550A UART. The line runs at infinite speed: a written byte is with the
 * backend before the write returns, unless the backend is full; the baud rate
 * only sets the time after which a partly filled FIFO interrupts.
 *
 * @see PC16550D data sheet; QEMU hw/char/serial.c, v10.0
 */
export class Uart16550A implements CharFrontend {
  divider = 0;
  rbr = 0;
  thr = 0;
  /** Shift register: the byte that waits for the backend while `tsrRetry` is not 0. */
  tsr = 0;
  ier = 0;
  iir = IIR_NO_INT;
  lcr = 0;
  mcr = 0;
  lsr = LSR_TEMT | LSR_THRE;
  msr = 0;
  scr = 0;
  fcr = 0;
  thrIpending = 0;
  timeoutIpending = 0;
  tsrRetry = 0;
  lastBreak = false;
  /** Nanoseconds that one character takes on the wire. */
  charTimeNs = 0;
  readonly recvFifo = new Fifo8(FIFO_LENGTH);
  readonly xmitFifo = new Fifo8(FIFO_LENGTH);
  readonly fifoTimeout: Timer;

  readonly #irq: IrqLine;
  readonly #clock: VirtualClock;
  readonly #backend: CharBackend;
  readonly #baudBase: number;
  readonly #byte = new Uint8Array(1);
  #waiting = false;

  /** @param baudBase Input clock divided by 16, in Hz. */
  constructor(irq: IrqLine, clock: VirtualClock, backend: CharBackend, baudBase: number) {
    this.#irq = irq;
    this.#clock = clock;
    this.#backend = backend;
    this.#baudBase = baudBase;
    this.fifoTimeout = clock.timer('serial-fifo-timeout', () => {
      if (this.recvFifo.empty) return;
      this.timeoutIpending = 1;
      this.updateIrq();
    });
  }

  /** Power-on and reset state: a connected line, 9600 baud, FIFOs off. */
  reset(): void {
    this.rbr = 0;
    this.ier = 0;
    this.iir = IIR_NO_INT;
    this.lcr = 0;
    this.lsr = LSR_TEMT | LSR_THRE;
    this.msr = MSR_DCD | MSR_DSR | MSR_CTS;
    this.divider = 0x0c;
    this.mcr = MCR_OUT2;
    this.scr = 0;
    this.fcr = 0;
    this.tsrRetry = 0;
    this.#waiting = false;
    this.thrIpending = 0;
    this.timeoutIpending = 0;
    this.lastBreak = false;
    this.fifoTimeout.cancel();
    this.recvFifo.reset();
    this.xmitFifo.reset();
    this.updateParameters();
  }

  /** Recomputes the interrupt identification and drives the line. */
  updateIrq(): void {
    const id = this.#pendingInterrupt();
    this.iir = id | (this.iir & 0xf0);
    this.#irq.set(id !== IIR_NO_INT);
  }

  #pendingInterrupt(): number {
    if ((this.ier & IER_RLSI) !== 0 && (this.lsr & LSR_INT_ANY) !== 0) return IIR_RLSI;
    if ((this.ier & IER_RDI) !== 0) {
      if (this.timeoutIpending !== 0) return IIR_CTI;
      const reached = (this.fcr & FCR_FE) === 0 || this.recvFifo.num >= this.#triggerLevel();
      if ((this.lsr & LSR_DR) !== 0 && reached) return IIR_RDI;
    }
    if ((this.ier & IER_THRI) !== 0 && this.thrIpending !== 0) return IIR_THRI;
    if ((this.ier & IER_MSI) !== 0 && (this.msr & MSR_ANY_DELTA) !== 0) return IIR_MSI;
    return IIR_NO_INT;
  }

  #triggerLevel(): number {
    return TRIGGER_LEVELS[(this.fcr >>> 6) & 3]!;
  }

  /** Derives the character time from divider and line control. A divider of 0 or beyond the clock changes nothing. */
  updateParameters(): void {
    if (this.divider === 0 || this.divider > this.#baudBase) return;
    const parity = (this.lcr & LCR_PARITY) !== 0 ? 1 : 0;
    const stop = (this.lcr & LCR_STOP) !== 0 ? 2 : 1;
    const bits = 1 + parity + (this.lcr & 3) + 5 + stop;
    // In single precision, as QEMU: the result is part of the deadline that travels.
    const nsPerBit = Math.fround(1e9 / Math.fround(this.#baudBase / this.divider));
    this.charTimeNs = Math.trunc(Math.fround(nsPerBit * bits));
  }

  /** Sets FIFO enable, DMA mode and trigger level without flushing anything. */
  setFifoControl(value: number): void {
    this.fcr = value;
    this.iir = (value & FCR_FE) !== 0 ? this.iir | IIR_FE : this.iir & ~IIR_FE;
  }

  read(offset: number): number {
    switch (offset & 7) {
      case 0:
        return (this.lcr & LCR_DLAB) !== 0 ? this.divider & 0xff : this.#readReceiver();
      case 1:
        return (this.lcr & LCR_DLAB) !== 0 ? this.divider >>> 8 : this.ier;
      case 2: {
        const iir = this.iir;
        if ((iir & IIR_ID) === IIR_THRI) {
          this.thrIpending = 0;
          this.updateIrq();
        }
        return iir;
      }
      case 3:
        return this.lcr;
      case 4:
        return this.mcr;
      case 5: {
        const lsr = this.lsr;
        if ((lsr & (LSR_BI | LSR_OE)) !== 0) {
          this.lsr &= ~(LSR_BI | LSR_OE);
          this.updateIrq();
        }
        return lsr;
      }
      case 6:
        return this.#readModemStatus();
      default:
        return this.scr;
    }
  }

  #readReceiver(): number {
    let value: number;
    if ((this.fcr & FCR_FE) !== 0) {
      value = this.recvFifo.empty ? 0 : this.recvFifo.pop();
      if (this.recvFifo.empty) this.lsr &= ~(LSR_DR | LSR_BI);
      else this.#armTimeout();
      this.timeoutIpending = 0;
    } else {
      value = this.rbr;
      this.lsr &= ~(LSR_DR | LSR_BI);
    }
    this.updateIrq();
    if ((this.mcr & MCR_LOOP) === 0) this.#backend.acceptInput();
    return value;
  }

  #readModemStatus(): number {
    if ((this.mcr & MCR_LOOP) !== 0) {
      // The outputs are wired to the inputs: OUT2 to DCD, OUT1 to RI, RTS to CTS, DTR to DSR.
      return ((this.mcr & 0x0c) << 4) | ((this.mcr & MCR_RTS) << 3) | ((this.mcr & MCR_DTR) << 5);
    }
    const msr = this.msr;
    if ((msr & MSR_ANY_DELTA) !== 0) {
      this.msr &= 0xf0;
      this.updateIrq();
    }
    return msr;
  }

  write(offset: number, value: number): void {
    switch (offset & 7) {
      case 0:
        if ((this.lcr & LCR_DLAB) !== 0) this.#setDivider((this.divider & 0xff00) | value);
        else this.#writeTransmitter(value);
        break;
      case 1:
        if ((this.lcr & LCR_DLAB) !== 0) this.#setDivider((this.divider & 0x00ff) | (value << 8));
        else this.#writeInterruptEnable(value & 0x0f);
        break;
      case 2:
        this.#writeFifoControl(value);
        break;
      case 3:
        this.lcr = value;
        this.updateParameters();
        this.lastBreak = (value & LCR_BREAK) !== 0;
        break;
      case 4:
        this.mcr = value & 0x1f;
        break;
      case 7:
        this.scr = value;
        break;
      default: // LSR and MSR: factory test writes have no effect
        break;
    }
  }

  #setDivider(divider: number): void {
    this.divider = divider;
    this.updateParameters();
  }

  #writeInterruptEnable(ier: number): void {
    const changed = this.ier ^ ier;
    this.ier = ier;
    // Enabling THRI with an empty holding register interrupts at once, even when reading IIR had
    // acknowledged it before: the data sheet does not say so, drivers rely on it.
    if ((changed & IER_THRI) !== 0) {
      this.thrIpending = (ier & IER_THRI) !== 0 && (this.lsr & LSR_THRE) !== 0 ? 1 : 0;
    }
    if (changed !== 0) this.updateIrq();
  }

  #writeFifoControl(written: number): void {
    let value = written;
    // Switching the FIFOs on or off flushes both.
    if (((value ^ this.fcr) & FCR_FE) !== 0) value |= FCR_XFR | FCR_RFR;
    if ((value & FCR_RFR) !== 0) {
      this.lsr &= ~(LSR_DR | LSR_BI);
      this.fifoTimeout.cancel();
      this.timeoutIpending = 0;
      this.recvFifo.reset();
    }
    if ((value & FCR_XFR) !== 0) {
      this.lsr |= LSR_THRE;
      this.thrIpending = 1;
      this.xmitFifo.reset();
    }
    this.setFifoControl(value & FCR_STICKY);
    this.updateIrq();
  }

  #writeTransmitter(value: number): void {
    this.thr = value;
    if ((this.fcr & FCR_FE) !== 0) {
      // A write into a full FIFO pushes the oldest byte out.
      if (this.xmitFifo.full) this.xmitFifo.pop();
      this.xmitFifo.push(value);
    }
    this.thrIpending = 0;
    this.lsr &= ~(LSR_THRE | LSR_TEMT);
    this.updateIrq();
    if (this.tsrRetry === 0) this.#transmit();
  }

  #transmit(): void {
    do {
      if (this.tsrRetry === 0) this.#loadShiftRegister();
      if ((this.mcr & MCR_LOOP) !== 0) {
        this.#receiveByte(this.tsr);
        this.updateIrq();
      } else {
        this.#byte[0] = this.tsr;
        if (this.#backend.write(this.#byte) === 0 && this.tsrRetry < MAX_XMIT_RETRY) {
          this.tsrRetry++;
          this.waitForBackend();
          return;
        }
      }
      this.tsrRetry = 0;
    } while ((this.lsr & LSR_THRE) === 0);
    this.lsr |= LSR_TEMT;
  }

  #loadShiftRegister(): void {
    if ((this.fcr & FCR_FE) !== 0 && !this.xmitFifo.empty) {
      this.tsr = this.xmitFifo.pop();
      if (this.xmitFifo.empty) this.lsr |= LSR_THRE;
    } else {
      this.tsr = this.thr;
      this.lsr |= LSR_THRE;
    }
    if ((this.lsr & LSR_THRE) !== 0 && this.thrIpending === 0) {
      this.thrIpending = 1;
      this.updateIrq();
    }
  }

  /** Retries the byte in the shift register when the backend can take bytes again. */
  waitForBackend(): void {
    this.#waiting = true;
    this.#backend.onWritable(() => {
      // A reset in between has dropped the byte.
      if (!this.#waiting) return;
      this.#waiting = false;
      this.#transmit();
    });
  }

  /** Lets go of the backend. */
  disconnect(): void {
    this.#waiting = false;
    this.fifoTimeout.cancel();
    this.#backend.attach(undefined);
  }

  canReceive(): number {
    if ((this.fcr & FCR_FE) === 0) return (this.lsr & LSR_DR) === 0 ? 1 : 0;
    if (this.recvFifo.full) return 0;
    // Offering the whole FIFO would fill it before the guest can react to its trigger level.
    const level = this.#triggerLevel();
    return this.recvFifo.num < level ? level - this.recvFifo.num : 1;
  }

  receive(bytes: Uint8Array): void {
    for (const byte of bytes) this.#receiveByte(byte);
    this.updateIrq();
  }

  #receiveByte(byte: number): void {
    if ((this.fcr & FCR_FE) !== 0) {
      // An overrun does not touch what is in the FIFO.
      if (this.recvFifo.full) this.lsr |= LSR_OE;
      else this.recvFifo.push(byte);
      this.#armTimeout();
    } else {
      if ((this.lsr & LSR_DR) !== 0) this.lsr |= LSR_OE;
      this.rbr = byte;
    }
    this.lsr |= LSR_DR;
  }

  #armTimeout(): void {
    this.fifoTimeout.arm(this.#clock.now() + TIMEOUT_CHARACTERS * this.charTimeNs);
  }

  event(event: 'opened' | 'closed' | 'break'): void {
    if (event !== 'break') return;
    this.rbr = 0;
    if (this.recvFifo.full) this.lsr |= LSR_OE;
    else this.recvFifo.push(0);
    this.lsr |= LSR_BI | LSR_DR;
    this.updateIrq();
  }
}

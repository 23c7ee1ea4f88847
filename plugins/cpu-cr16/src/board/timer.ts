import { defineDevice, IrqLine, type Timer, VirtualClock } from '@sterna/core';

const CTRL_RUN = 1 << 0;
const CTRL_IRQ = 1 << 1;
const NS_PER_US = 1000;
/** Shortest period: a guest that asks for less would have no time for anything else. */
const LEAST_US = 10;

/** Counts periods of some microseconds. */
class PeriodTimer {
  ctrl = 0;
  periodUs = 0;
  /** Periods since the counter was started. */
  count = 0;
  /** A period has ended and nobody has acknowledged it. */
  pending = false;
  /** When the running period ends, -1 while none runs. */
  dueNs = -1;
  readonly #timer: Timer;
  readonly #clock: VirtualClock;
  readonly #irq: IrqLine;

  constructor(clock: VirtualClock, irq: IrqLine) {
    this.#clock = clock;
    this.#irq = irq;
    this.#timer = clock.timer('period', () => this.#tick());
  }

  update(): void {
    this.#irq.set(this.pending && (this.ctrl & CTRL_IRQ) !== 0);
  }
  setControl(value: number): void {
    const started = (value & ~this.ctrl & CTRL_RUN) !== 0;
    this.ctrl = value & (CTRL_RUN | CTRL_IRQ);
    if (started) {
      this.count = 0;
      this.arm(Math.trunc(this.#clock.now()) + this.#periodNs);
    } else if ((this.ctrl & CTRL_RUN) === 0) this.arm(-1);
    this.update();
  }
  arm(dueNs: number): void {
    this.dueNs = dueNs;
    if (dueNs < 0) this.#timer.cancel();
    else this.#timer.arm(dueNs);
  }
  get #periodNs(): number {
    return Math.max(this.periodUs, LEAST_US) * NS_PER_US;
  }
  #tick(): void {
    this.count = (this.count + 1) >>> 0;
    this.pending = true;
    this.arm(this.dueNs + this.#periodNs);
    this.update();
  }
}

/** The periodic timer of the CR16 board. */
export const cr16Timer = defineDevice({
  name: 'cr16-timer',
  bus: 'sysbus',
  description: 'CR16 board periodic timer',
  inject: [VirtualClock, IrqLine],
  create: (_, clock, irq) => new PeriodTimer(clock, irq),
  registers: (timer) => ({
    CTRL: { offset: 0x0, read: () => timer.ctrl, write: (value) => timer.setControl(value) },
    PERIOD: {
      offset: 0x4,
      read: () => timer.periodUs,
      write: (value) => {
        timer.periodUs = value;
      },
    },
    COUNT: { offset: 0x8, read: () => timer.count },
    ACK: {
      offset: 0xc,
      read: () => (timer.pending ? 1 : 0),
      write: () => {
        timer.pending = false;
        timer.update();
      },
    },
  }),
  reset: (timer) => {
    timer.arm(-1);
    timer.ctrl = timer.periodUs = timer.count = 0;
    timer.pending = false;
    timer.update();
  },
  vmstate: {
    name: 'cr16-timer',
    version: 1,
    fields: ({ u8, u32, bool, ns }) => [u8('ctrl'), u32('periodUs'), u32('count'), bool('pending'), ns('dueNs')],
    postLoad(timer) {
      timer.arm(timer.dueNs);
      timer.update();
    },
  },
});

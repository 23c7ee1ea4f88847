import { defineDevice, IrqLine, prop, type Timer, VirtualClock } from '@sterna/core';

/** CTRL: the interrupt line follows STATUS. */
const CTRL_IRQ_ENABLE = 1 << 0;
/** STATUS: the time is over; a guest writes 1 to clear it. */
const STATUS_EXPIRED = 1 << 0;
const NS_PER_US = 1000;

/** The state of one device. Its public fields are what `vmstate` below can name. */
class MyThing {
  ctrl = 0;
  status = 0;
  readonly timer: Timer;
  readonly clock: VirtualClock;
  /** The line is a function of the state, so reset and load only have to call this. */
  readonly syncIrq: () => void;

  constructor(irq: IrqLine, clock: VirtualClock) {
    this.clock = clock;
    this.timer = clock.timer('expire', () => {
      this.status |= STATUS_EXPIRED;
      this.syncIrq();
    });
    this.syncIrq = () => irq.set((this.ctrl & CTRL_IRQ_ENABLE) !== 0 && (this.status & STATUS_EXPIRED) !== 0);
  }

  /** Microseconds until the time is over, 0 when it does not run. */
  get left(): number {
    const { expiryNs } = this.timer;
    return expiryNs < 0 ? 0 : Math.max(0, Math.ceil((expiryNs - this.clock.now()) / NS_PER_US));
  }

  start(us: number): void {
    if (us === 0) this.timer.cancel();
    else this.timer.arm(this.clock.now() + us * NS_PER_US);
  }
}

/** {{DESCRIPTION}}. */
export const myThing = defineDevice({
  name: 'my-thing',
  bus: 'sysbus',
  description: '{{DESCRIPTION}}',
  properties: {
    'max-us': prop.u32({ default: 10_000_000, help: 'Longest time in microseconds' }),
  },
  inject: [IrqLine, VirtualClock],
  create: (properties, irq, clock) => Object.assign(new MyThing(irq, clock), { maxUs: properties['max-us'] }),
  registers: (dev) => ({
    CTRL: {
      offset: 0x0,
      read: () => dev.ctrl,
      write(value) {
        dev.ctrl = value & CTRL_IRQ_ENABLE;
        dev.syncIrq();
      },
    },
    STATUS: {
      offset: 0x4,
      read: () => dev.status,
      write(value) {
        dev.status &= ~value;
        dev.syncIrq();
      },
    },
    START: { offset: 0x8, write: (us) => dev.start(Math.min(us, dev.maxUs)) },
    LEFT: { offset: 0xc, read: () => dev.left },
  }),
  reset(dev) {
    dev.ctrl = dev.status = 0;
    dev.timer.cancel();
    dev.syncIrq();
  },
  vmstate: {
    name: 'my-thing',
    version: 1,
    fields: ({ u32, timer }) => [u32('ctrl'), u32('status'), timer('timer')],
    postLoad: (dev) => dev.syncIrq(),
  },
});

import { Dma, defineDevice, IrqLine, type Timer, VirtualClock } from '@sterna/core';

/** Mistakes that authors of devices with DMA make. */
export type BlitterMistake =
  | 'request lost'
  | 'request outlives reset'
  | 'phase lost'
  | 'guest length trusted'
  | 'throws at the guest'
  | 'state of its own refused'
  | 'load builds on the last';

const CTRL_GO = 1;
const CTRL_FILL = 2;
const SETUP_NS = 10_000;

class Blitter {
  ctrl = 0;
  source = 0;
  target = 0;
  length = 0;
  /** 0: idle, 1: being set up, 2: waits for guest pages. */
  phase = 0;
  done = 0;
  /** Counts transfers, so that one of the past can be told from the next. */
  loads = 0;
  readonly timer: Timer;
  readonly irq: IrqLine;
  readonly dma: Dma;
  readonly buffer = new Uint8Array(4096);
  spare: Uint8Array | undefined;

  constructor(irq: IrqLine, clock: VirtualClock, dma: Dma) {
    this.irq = irq;
    this.dma = dma;
    this.timer = clock.timer('setup', () => this.move(true));
  }
  syncIrq(): void {
    this.irq.set(this.done !== 0);
  }
  from(address: number): void {
    this.source = address % 0x8000;
  }
  to(address: number): void {
    this.target = 0x8000 + (address % 0x7000);
  }
  move(careful: boolean): void {
    this.phase = 2;
    const { source, target, length } = this;
    const ranges = [
      { address: source, length, write: false },
      { address: target, length, write: true },
    ];
    this.dma.run(ranges, () => {
      if (careful && this.phase !== 2) return;
      const bytes = this.buffer.subarray(0, length);
      this.dma.read(source, bytes);
      this.dma.write(target, bytes);
      this.phase = 0;
      this.done = 1;
      this.syncIrq();
    });
  }
}

/** A device that moves bytes of guest memory, with one mistake or none. */
export function blitter(mistake?: BlitterMistake) {
  const has = (wanted: BlitterMistake): boolean => mistake === wanted;
  const attempts = new WeakMap<object, number>();
  return defineDevice({
    name: 'blitter',
    bus: 'sysbus',
    description: 'moves bytes',
    inject: [IrqLine, VirtualClock, Dma],
    create: (_, irq, clock, dma) => {
      const dev = new Blitter(irq, clock, dma);
      if (has('request outlives reset'))
        dev.move = (
          (move) => () =>
            move.call(dev, false)
        )(dev.move);
      return Object.assign(dev, { clock });
    },
    registers: (dev) => ({
      CTRL: {
        offset: 0,
        read: () => dev.ctrl,
        write: (value) => {
          if (has('throws at the guest') && value === 0x8000_0000) throw new Error('unexpected control word');
          dev.ctrl = value & CTRL_FILL;
          if ((value & CTRL_GO) === 0 || dev.phase !== 0) return;
          dev.phase = 1;
          dev.timer.arm(dev.clock.now() + SETUP_NS);
        },
      },
      SOURCE: { offset: 4, read: () => dev.source, write: (value) => dev.from(value) },
      TARGET: { offset: 8, read: () => dev.target, write: (value) => dev.to(value) },
      LENGTH: {
        offset: 12,
        read: () => dev.length,
        write: (value) => {
          dev.length = has('state of its own refused') ? Math.min(value, 5000) : Math.min(value, dev.buffer.length);
          if (has('guest length trusted')) dev.spare = new Uint8Array(value % 0x4000_0000);
        },
      },
      DONE: {
        offset: 16,
        read: () => dev.done,
        write: () => {
          dev.done = 0;
          dev.syncIrq();
        },
      },
    }),
    reset(dev) {
      dev.spare = undefined;
      dev.ctrl = dev.source = dev.length = dev.done = dev.phase = dev.loads = 0;
      dev.target = 0x8000;
      dev.timer.cancel();
      dev.buffer.fill(0);
      dev.syncIrq();
    },
    vmstate: {
      name: 'blitter',
      version: 1,
      fields: ({ u32, timer, buffer }) => [
        u32('ctrl'),
        u32('source'),
        u32('target'),
        u32('length'),
        ...(has('phase lost') ? [] : [u32('phase')]),
        u32('done'),
        u32('loads'),
        buffer('buffer'),
        timer('timer'),
      ],
      preLoad(dev) {
        attempts.set(dev, (attempts.get(dev) ?? 0) + 1);
      },
      postLoad(dev) {
        if (dev.length > dev.buffer.length) throw new RangeError(`length ${dev.length} exceeds ${dev.buffer.length}`);
        if (dev.source >= 0x8000 || dev.target < 0x8000 || dev.target >= 0xf000) throw new RangeError('addresses');
        if (dev.phase > 2) throw new RangeError(`phase ${dev.phase}`);
        if (has('load builds on the last') && attempts.get(dev)! > 1) dev.loads++;
        if (dev.phase === 2 && !has('request lost')) dev.move(true);
        dev.syncIrq();
      },
    },
  });
}

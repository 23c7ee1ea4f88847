import {
  CharBackend,
  Dma,
  defineDevice,
  IrqLine,
  prop,
  type Service,
  service,
  type Timer,
  VirtualClock,
} from '@sterna/core';

/** A bus that a plugin brings along; its listeners are not the framework's. */
export interface Bell {
  listen(listener: () => void): () => void;
  ring(): void;
}
export const Bell: Service<Bell> = service('TestBell');

export function makeBell(): Bell {
  const listeners = new Set<() => void>();
  return {
    listen: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    ring: () => {
      for (const listener of listeners) listener();
    },
  };
}

/** Mistakes that authors make. */
export type Mistake =
  | 'forgotten field'
  | 'irq not restored'
  | 'timer lost'
  | 'version not bumped'
  | 'length trusted'
  | 'tap leaked'
  | 'host clock'
  | 'state in a closure'
  | 'reset incomplete'
  | 'save with a side effect';

class Alarm {
  ctrl = 0;
  count = 0;
  deadline = -1;
  level = false;
  rung = 0;
  length = 0;
  readonly log = new Uint8Array(16);
  readonly timer: Timer;
  readonly irq: IrqLine;
  readonly clock: VirtualClock;
  stopListening: () => void = () => {};
  /** Holds a value where no table sees it. */
  readonly hidden: { get(): number; set(value: number): void };

  constructor(irq: IrqLine, clock: VirtualClock) {
    this.irq = irq;
    this.clock = clock;
    this.timer = clock.timer('alarm', () => this.fire());
    let secret = 0;
    this.hidden = {
      get: () => secret,
      set: (value) => {
        secret = value;
      },
    };
  }
  syncIrq(): void {
    this.irq.set(this.level);
  }
  syncTimer(): void {
    if (this.deadline >= 0) this.timer.arm(this.deadline);
    else this.timer.cancel();
  }
  fire(): void {
    this.deadline = -1;
    this.level = true;
    this.count = (this.count + 1) >>> 0;
    this.syncIrq();
  }
  note(byte: number): void {
    if (this.length === this.log.length) return;
    // A length beyond the log would be a mistake of this device: it says so as such.
    if (this.length > this.log.length) throw new RangeError(`log position ${this.length}`);
    this.log[this.length++] = byte;
  }
}

/** A device with everything that has to migrate, and one mistake or none. */
export function alarm(mistake?: Mistake) {
  const has = (wanted: Mistake): boolean => mistake === wanted;
  return defineDevice({
    name: 'alarm',
    bus: 'sysbus',
    description: 'rings after a while',
    properties: { chardev: prop.optionalString({ help: 'backend' }) },
    inject: [IrqLine, VirtualClock, Dma, CharBackend, Bell],
    create(_, irq, clock, dma, backend, bell) {
      const dev = new Alarm(irq, clock);
      const stop = bell.listen(() => {
        dev.rung++;
        dma.writeU32(0x100, dev.rung);
      });
      if (!has('tap leaked')) dev.stopListening = stop;
      backend.attach({
        canReceive: () => 16,
        receive: (bytes) => {
          for (const byte of bytes) dev.note(byte);
        },
      });
      return dev;
    },
    registers: (dev) => ({
      CTRL: {
        offset: 0,
        read: () => dev.ctrl,
        write: (value) => {
          dev.ctrl = value & 3;
          dev.hidden.set(value & 3);
          dev.level = false;
          dev.syncIrq();
        },
      },
      WAIT: {
        offset: 4,
        write: (us) => {
          if ((dev.ctrl & 1) === 0) return;
          dev.deadline = dev.clock.now() + Math.min(us, 1_000_000) * 1000;
          dev.syncTimer();
        },
      },
      COUNT: { offset: 8, read: () => (has('host clock') ? Date.now() & 0 : 0) + dev.count },
      MODE: { offset: 12, read: () => (has('state in a closure') ? dev.hidden.get() : dev.ctrl) },
      LENGTH: { offset: 16, read: () => dev.length },
      NOTE: { offset: 20, write: (byte) => dev.note(byte & 0xff) },
      RUNG: { offset: 24, read: () => dev.rung },
    }),
    reset(dev) {
      dev.ctrl = dev.rung = dev.length = 0;
      dev.hidden.set(0);
      if (!has('reset incomplete')) dev.count = 0;
      dev.log.fill(0);
      dev.deadline = -1;
      dev.level = false;
      dev.syncTimer();
      dev.syncIrq();
    },
    unrealize: (dev) => dev.stopListening(),
    vmstate: {
      name: 'alarm',
      version: 1,
      fields: ({ u32, ns, bool, buffer }) => [
        u32('ctrl'),
        u32('count'),
        ns('deadline'),
        bool('level'),
        ...(has('forgotten field') ? [] : [u32('rung')]),
        u32('length'),
        buffer('log'),
        ...(has('version not bumped') ? [u32('rung', { name: 'rung_again' })] : []),
      ],
      preSave(dev) {
        if (has('save with a side effect')) dev.count++;
      },
      postLoad(dev) {
        if (!has('length trusted') && dev.length > dev.log.length) throw new RangeError(`alarm: length ${dev.length}`);
        if (!has('timer lost')) dev.syncTimer();
        if (!has('irq not restored')) dev.syncIrq();
      },
    },
  });
}

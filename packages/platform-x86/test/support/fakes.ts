import type {
  CharBackend,
  CharFrontend,
  Dma,
  Hooks,
  IrqLine,
  Logger,
  RtcClock,
  RtcTimer,
  RunState,
  Timer,
  VirtualClock,
} from '@sterna/core';
import { LoadGate } from '../../src/support/load-gate.ts';

/** A virtual clock that tests move by hand. */
export class FakeClock implements VirtualClock {
  time = 0;
  readonly timers: { expiryNs: number; callback: () => void }[] = [];

  now(): number {
    return this.time;
  }

  timer(_name: string, callback: () => void): Timer {
    const timer = {
      expiryNs: -1,
      callback,
      arm(expiryNs: number) {
        this.expiryNs = expiryNs;
      },
      cancel() {
        this.expiryNs = -1;
      },
    };
    this.timers.push(timer);
    return timer;
  }

  /** Moves to `time`, firing what is due in order. */
  advanceTo(time: number): void {
    for (;;) {
      const due = this.timers
        .filter((t) => t.expiryNs !== -1 && t.expiryNs <= time)
        .sort((a, b) => a.expiryNs - b.expiryNs)[0];
      if (due === undefined) break;
      this.time = Math.max(this.time, due.expiryNs);
      due.expiryNs = -1;
      due.callback();
    }
    this.time = time;
  }
}

/** An RTC clock that tests move by hand. */
export class FakeRtcClock implements RtcClock {
  time: bigint;
  /** What a clock device starts with, when it is not the time itself. */
  date: bigint | undefined;
  readonly timers: { expiryNs: bigint; callback: () => void }[] = [];

  constructor(time: bigint) {
    this.time = time;
  }

  now(): bigint {
    return this.time;
  }

  dateNs(): bigint {
    return this.date ?? this.time;
  }

  timer(_name: string, callback: () => void): RtcTimer {
    const timer = {
      expiryNs: -1n,
      callback,
      arm(expiryNs: bigint) {
        this.expiryNs = expiryNs;
      },
      cancel() {
        this.expiryNs = -1n;
      },
    };
    this.timers.push(timer);
    return timer;
  }

  advanceTo(time: bigint): void {
    for (;;) {
      const due = this.timers
        .filter((t) => t.expiryNs !== -1n && t.expiryNs <= time)
        .sort((a, b) => (a.expiryNs < b.expiryNs ? -1 : 1))[0];
      if (due === undefined) break;
      if (due.expiryNs > this.time) this.time = due.expiryNs;
      due.expiryNs = -1n;
      due.callback();
    }
    this.time = time;
  }
}

/** A line that remembers its level and counts rising edges. */
export class FakeIrq implements IrqLine {
  level = false;
  edges = 0;

  set(level: boolean): void {
    if (level && !this.level) this.edges++;
    this.level = level;
  }
}

/** A backend that keeps what it gets and takes at most `room` bytes. */
export class FakeChar implements CharBackend {
  readonly id = 'fake';
  readonly connected = true;
  readonly sent: number[] = [];
  room = Number.POSITIVE_INFINITY;
  frontend: CharFrontend | undefined;
  accepts = 0;
  readonly #waiting: (() => void)[] = [];

  attach(frontend: CharFrontend | undefined): void {
    this.frontend = frontend;
  }

  write(bytes: Uint8Array): number {
    const taken = Math.min(bytes.length, this.room);
    this.sent.push(...bytes.subarray(0, taken));
    this.room -= taken;
    return taken;
  }

  onWritable(callback: () => void): void {
    this.#waiting.push(callback);
  }

  /** Makes room and tells whoever waits. */
  drain(room: number): void {
    this.room = room;
    for (const callback of this.#waiting.splice(0)) callback();
  }

  acceptInput(): void {
    this.accepts++;
  }

  async close(): Promise<void> {}
}

/** Sixteen MiB of guest memory. */
export class FakeDma implements Dma {
  readonly ram = new Uint8Array(16 * 2 ** 20);

  read(address: number, into: Uint8Array): void {
    into.fill(0);
    if (address < this.ram.length)
      into.set(this.ram.subarray(address, Math.min(this.ram.length, address + into.length)));
  }

  write(address: number, bytes: Uint8Array): void {
    if (address < this.ram.length) this.ram.set(bytes.subarray(0, this.ram.length - address), address);
  }

  readU8(address: number): number {
    return this.ram[address] ?? 0;
  }

  readU16(address: number): number {
    return this.readU8(address) + this.readU8(address + 1) * 256;
  }

  readU32(address: number): number {
    return this.readU16(address) + this.readU16(address + 2) * 65536;
  }

  writeU8(address: number, value: number): void {
    this.write(address, Uint8Array.of(value));
  }

  writeU16(address: number, value: number): void {
    this.write(address, Uint8Array.of(value, value >>> 8));
  }

  writeU32(address: number, value: number): void {
    this.write(address, Uint8Array.of(value, value >>> 8, value >>> 16, value >>> 24));
  }

  run(_ranges: readonly unknown[], fn: () => void): void {
    fn();
  }
}

/** A logger that counts guest errors. */
export class FakeLogger implements Logger {
  readonly errors: string[] = [];
  info(): void {}
  warn(): void {}
  guestError(text: string): void {
    this.errors.push(text);
  }
}

/** Hooks of which only the run state works. */
export class FakeHooks {
  readonly #listeners: ((state: RunState, previous: RunState) => void)[] = [];
  readonly runState = {
    tap: (_name: string, listener: (state: RunState, previous: RunState) => void) => {
      this.#listeners.push(listener);
    },
  };

  setRunState(state: RunState): void {
    for (const listener of this.#listeners) listener(state, 'running');
  }

  /** A gate that follows {@link setRunState}. */
  gate(): LoadGate {
    return new LoadGate('test', this as unknown as Hooks);
  }
}

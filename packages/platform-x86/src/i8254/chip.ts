import type { IrqLine, Timer, VirtualClock } from '@sterna/core';
import { PitChannel, RW_MSB, RW_WORD0, RW_WORD1 } from './channel.ts';

/** Read-back command bits (8254 data sheet, "Read-Back Command"); both select when clear. */
const READ_BACK_NO_COUNT = 0x20;
const READ_BACK_NO_STATUS = 0x10;

/** An 8254 whose counter 0 is wired to an interrupt. */
export class I8254 {
  readonly channels: readonly PitChannel[] = [new PitChannel(), new PitChannel(), new PitChannel()];
  readonly #irq: IrqLine;
  readonly #clock: VirtualClock;
  readonly #timer: Timer;

  constructor(irq: IrqLine, clock: VirtualClock) {
    this.#irq = irq;
    this.#clock = clock;
    const channel = this.channels[0]!;
    // The expiry, not the clock: a late timer must still see every edge.
    this.#timer = clock.timer('i8254', () => this.#updateIrq(channel.nextTransitionTime));
  }

  /** Mode 3, full count, gates of 0 and 1 tied high. Without port 0x61 nothing ever raises gate 2. */
  reset(): void {
    const now = this.#clock.now();
    for (const [index, channel] of this.channels.entries()) {
      const { irqDisabled } = channel;
      Object.assign(channel, new PitChannel());
      channel.irqDisabled = irqDisabled;
      channel.gate = index === 2 ? 0 : 1;
      channel.countLoadTime = now;
    }
    const first = this.channels[0]!;
    if (first.irqDisabled === 0) {
      first.nextTransitionTime = first.transitionAfter(now);
      this.#armTimer();
    } else {
      this.#timer.cancel();
    }
  }

  /** Drives the interrupt low, where the first rising edge starts. */
  lowerIrq(): void {
    this.#irq.set(false);
  }

  /** Rebuilds timer and line after a load. */
  restore(): void {
    const first = this.channels[0]!;
    this.#armTimer();
    if (first.irqDisabled === 0) this.#irq.set(first.output(this.#clock.now()));
  }

  #armTimer(): void {
    const first = this.channels[0]!;
    if (first.irqDisabled === 0 && first.nextTransitionTime !== -1) this.#timer.arm(first.nextTransitionTime);
    else this.#timer.cancel();
  }

  #updateIrq(now: number): void {
    const channel = this.channels[0]!;
    if (channel.irqDisabled !== 0) return;
    const next = channel.transitionAfter(now);
    this.#irq.set(channel.output(now));
    channel.nextTransitionTime = next;
    this.#armTimer();
  }

  /** Level of a counter's output, for a speaker or port 0x61. */
  output(index: number): boolean {
    return this.channels[index]!.output(this.#clock.now());
  }

  /** Drives a counter's gate. A rising edge restarts modes 1, 2, 3 and 5. */
  setGate(index: number, level: boolean): void {
    const channel = this.channels[index]!;
    const gate = level ? 1 : 0;
    const restarts = channel.mode !== 0 && channel.mode !== 4 && channel.mode < 6;
    if (restarts && channel.gate < gate) {
      channel.countLoadTime = this.#clock.now();
      if (index === 0) this.#updateIrq(channel.countLoadTime);
    }
    channel.gate = gate;
  }

  write(offset: number, value: number): void {
    if ((offset & 3) === 3) {
      this.#writeControl(value);
      return;
    }
    const channel = this.channels[offset & 3]!;
    switch (channel.writeState) {
      case RW_MSB:
        this.#load(channel, value << 8);
        break;
      case RW_WORD0:
        channel.writeLatch = value;
        channel.writeState = RW_WORD1;
        break;
      case RW_WORD1:
        channel.writeState = RW_WORD0;
        this.#load(channel, channel.writeLatch | (value << 8));
        break;
      default:
        this.#load(channel, value);
    }
  }

  #writeControl(value: number): void {
    const index = value >> 6;
    if (index === 3) {
      this.#readBack(value);
      return;
    }
    const channel = this.channels[index]!;
    const access = (value >> 4) & 3;
    if (access === 0) {
      this.#latchCount(channel);
      return;
    }
    channel.rwMode = access;
    channel.readState = access;
    channel.writeState = access;
    channel.mode = (value >> 1) & 7;
    channel.bcd = value & 1;
  }

  #readBack(value: number): void {
    for (const [index, channel] of this.channels.entries()) {
      if ((value & (2 << index)) === 0) continue;
      if ((value & READ_BACK_NO_COUNT) === 0) this.#latchCount(channel);
      if ((value & READ_BACK_NO_STATUS) === 0 && channel.statusLatched === 0) {
        const out = channel.output(this.#clock.now()) ? 0x80 : 0;
        channel.status = out | (channel.rwMode << 4) | (channel.mode << 1) | channel.bcd;
        channel.statusLatched = 1;
      }
    }
  }

  /** A count that is latched already stays until it was read. */
  #latchCount(channel: PitChannel): void {
    if (channel.countLatched !== 0) return;
    channel.latchedCount = channel.currentCount(this.#clock.now()) & 0xffff;
    channel.countLatched = channel.rwMode;
  }

  #load(channel: PitChannel, value: number): void {
    channel.countLoadTime = this.#clock.now();
    channel.count = value === 0 ? 0x10000 : value;
    if (channel === this.channels[0]) this.#updateIrq(channel.countLoadTime);
  }

  read(offset: number): number {
    if ((offset & 3) === 3) return 0; // the control word is write-only
    const channel = this.channels[offset & 3]!;
    if (channel.statusLatched !== 0) {
      channel.statusLatched = 0;
      return channel.status;
    }
    if (channel.countLatched !== 0) return this.#readLatch(channel);
    const count = channel.currentCount(this.#clock.now());
    switch (channel.readState) {
      case RW_MSB:
        return (count >> 8) & 0xff;
      case RW_WORD0:
        channel.readState = RW_WORD1;
        return count & 0xff;
      case RW_WORD1:
        channel.readState = RW_WORD0;
        return (count >> 8) & 0xff;
      default:
        return count & 0xff;
    }
  }

  #readLatch(channel: PitChannel): number {
    const latched = channel.countLatched;
    channel.countLatched = latched === RW_WORD0 ? RW_MSB : 0;
    return latched === RW_MSB ? channel.latchedCount >> 8 : channel.latchedCount & 0xff;
  }
}

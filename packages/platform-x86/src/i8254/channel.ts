import { muldiv64 } from '../support/muldiv64.ts';

/** Input clock in Hz. */
export const PIT_FREQ = 1193182;
const NS_PER_SECOND = 1e9;

/** Access modes and byte positions, as they travel in `rw_mode`, `read_state` and `write_state`. */
export const RW_LSB = 1;
export const RW_MSB = 2;
export const RW_WORD0 = 3;
export const RW_WORD1 = 4;

/**
 * One counter of an 8254. Nothing runs between accesses: count and output are
 * computed from the time that has passed since the count was loaded.
 *
 * @see 8254 data sheet; QEMU hw/timer/i8254_common.c, v10.0
 */
export class PitChannel {
  /** Loaded count, 1-0x10000. */
  count = 0x10000;
  latchedCount = 0;
  /** Bytes of the latched count still to read, as an access mode; 0 when none. */
  countLatched = 0;
  statusLatched = 0;
  status = 0;
  readState = 0;
  writeState = 0;
  writeLatch = 0;
  rwMode = 0;
  mode = 3;
  bcd = 0;
  gate = 0;
  /** Virtual ns. */
  countLoadTime = 0;
  /** Virtual ns of the next change of the output, -1 when it will not change. */
  nextTransitionTime = 0;
  /** Another timer drives the interrupt (HPET in legacy mode). */
  irqDisabled = 0;

  /** Input clocks since the count was loaded. */
  #ticks(now: number): number {
    return muldiv64(Math.max(0, now - this.countLoadTime), PIT_FREQ, NS_PER_SECOND);
  }

  /** The counter's value, 0-0x10000. QUIRK: QEMU counts in binary even when BCD was asked for, and ignores the gate. */
  currentCount(now: number): number {
    const ticks = this.#ticks(now);
    switch (this.mode) {
      case 0:
      case 1:
      case 4:
      case 5:
        return (this.count - (ticks % 0x10000)) & 0xffff;
      case 3:
        return this.count - ((2 * ticks) % this.count);
      default:
        return this.count - (ticks % this.count);
    }
  }

  /** Level of OUT. */
  output(now: number): boolean {
    const ticks = this.#ticks(now);
    switch (this.mode) {
      case 2:
        return ticks !== 0 && ticks % this.count === 0;
      case 3:
        return ticks % this.count < (this.count + 1) >> 1;
      case 4:
      case 5:
        return ticks === this.count;
      default:
        return ticks >= this.count;
    }
  }

  /** Virtual time of the first change of OUT after `now`, or -1. */
  transitionAfter(now: number): number {
    const ticks = this.#nextTransitionTick(this.#ticks(now));
    if (ticks < 0) return -1;
    const time = this.countLoadTime + muldiv64(ticks, NS_PER_SECOND, PIT_FREQ);
    // ns are rounded down, so the change may seem to be now or in the past.
    return Math.max(time, now + 1);
  }

  #nextTransitionTick(ticks: number): number {
    const { count } = this;
    const base = ticks - (ticks % count);
    switch (this.mode) {
      case 2:
        // OUT is high for one clock at every multiple of the count. QUIRK: both edges are aimed one clock late,
        // and the rounding down to ns brings them back; the deadlines on the wire depend on it.
        return ticks === base && ticks !== 0 ? base + count : base + count + 1;
      case 3: {
        const half = (count + 1) >> 1;
        return ticks - base < half ? base + half : base + count;
      }
      case 4:
      case 5:
        if (ticks < count) return count;
        return ticks === count ? count + 1 : -1;
      default:
        return ticks < count ? count : -1;
    }
  }
}

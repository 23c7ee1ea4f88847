import type { Timer, VirtualClock } from '@sterna/core';
import { LVT_COUNT, LVT_DEADLINE, LVT_MASKED, LVT_PERIODIC, LVT_TIMER } from './registers.ts';

/**
 * A local APIC's timer: a counter at 1 GHz divided by 2^countShift, or a TSC deadline.
 *
 * @see SDM vol. 3A §11.5.4; QEMU hw/intc/apic.c, v10.0
 */
export abstract class LocalTimer {
  readonly lvt: Uint32Array = new Uint32Array(LVT_COUNT);
  divideConf = 0;
  /** log2 of the timer's divider. */
  countShift = 0;
  initialCount = 0;
  /** Virtual ns. */
  initialCountLoadTime = 0;
  /** Virtual ns of the last deadline, also when it has passed. */
  nextTime = 0;
  /** Virtual ns of the armed deadline, -1 when there is none. */
  timerExpiry = -1;
  /** The APIC's clock. */
  protected readonly clock: VirtualClock;
  readonly #timer: Timer;
  /** A one-shot count ran out and the mode became periodic since: nothing counts until the next initial count. */
  #stopped = false;

  constructor(name: string, clock: VirtualClock) {
    this.clock = clock;
    this.#timer = clock.timer(name, () => this.#expired());
  }

  /** Signals an entry of the local vector table. */
  protected abstract deliverLocal(entry: number): void;

  /** No deadline any more. */
  protected cancelTimer(): void {
    this.#timer.cancel();
  }

  /** The state after reset and INIT. */
  protected resetTimer(): void {
    this.divideConf = 0;
    this.countShift = 0;
    this.initialCount = 0;
    this.initialCountLoadTime = 0;
    this.nextTime = 0;
    this.timerExpiry = -1;
    this.#stopped = false;
    this.#timer.cancel();
  }

  /** Arms what a loaded state says. */
  protected restoreTimer(): void {
    this.#stopped = false;
    if (this.timerExpiry !== -1) this.#timer.arm(this.timerExpiry);
    else this.#timer.cancel();
  }

  get #deadlineMode(): boolean {
    return (this.lvt[LVT_TIMER]! & LVT_DEADLINE) !== 0;
  }

  /** A TSC deadline is armed. */
  get deadlinePending(): boolean {
    return this.#deadlineMode && this.timerExpiry !== -1;
  }

  /** Arms the TSC deadline in ns from now, or disarms it. */
  armDeadline(delay: number | undefined): void {
    if (!this.#deadlineMode) return;
    this.timerExpiry = -1;
    this.#timer.cancel();
    if (delay === undefined) return;
    this.nextTime = this.clock.now() + delay;
    this.timerExpiry = this.nextTime;
    this.#timer.arm(this.nextTime);
  }

  #units(now: number): number {
    return Math.floor((now - this.initialCountLoadTime) / 2 ** this.countShift);
  }

  /** Counter value at `now`. */
  currentCount(now: number): number {
    if (this.#stopped || this.#deadlineMode) return 0;
    const units = this.#units(now);
    if ((this.lvt[LVT_TIMER]! & LVT_PERIODIC) === 0) return units >= this.initialCount ? 0 : this.initialCount - units;
    return this.initialCount === 0 ? 0 : this.initialCount - (units % (this.initialCount + 1));
  }

  /** Starts a count, unless a deadline takes its place. */
  protected setInitialCount(value: number): void {
    if (this.#deadlineMode) return;
    this.#stopped = false;
    this.initialCount = value >>> 0;
    this.initialCountLoadTime = this.clock.now();
    this.#arm(this.initialCountLoadTime);
  }

  /** Divide configuration register. */
  protected setDivider(value: number): void {
    this.divideConf = value & 0xb;
    this.countShift = ((this.divideConf & 3) + ((this.divideConf >> 1) & 4) + 1) & 7;
  }

  /** The timer's entry of the local vector table was written. */
  protected timerModeChanged(before: number, after: number): void {
    const now = this.clock.now();
    if (((before ^ after) & LVT_DEADLINE) !== 0) {
      // Entering and leaving the deadline mode disarms the timer (SDM vol. 3A §11.5.4.1).
      this.initialCount = 0;
      this.timerExpiry = -1;
      this.#timer.cancel();
    } else if (!this.#deadlineMode) {
      const wasOneShot = (before & LVT_PERIODIC) === 0;
      const ranOut = wasOneShot && this.#units(now) >= this.initialCount;
      this.#stopped ||= ranOut && (after & LVT_PERIODIC) !== 0;
      this.#arm(now);
    }
  }

  /** Arms the next deadline as seen from `now`. A period is one unit longer than the initial count. */
  #arm(now: number): void {
    this.timerExpiry = -1;
    const units = this.#nextUnits(now);
    if (units < 0) {
      this.#timer.cancel();
      return;
    }
    this.nextTime = this.initialCountLoadTime + units * 2 ** this.countShift;
    this.timerExpiry = this.nextTime;
    this.#timer.arm(this.nextTime);
  }

  #nextUnits(now: number): number {
    const timer = this.lvt[LVT_TIMER]!;
    if ((timer & LVT_MASKED) !== 0 || this.#stopped) return -1;
    const units = this.#units(now);
    const period = this.initialCount + 1;
    if ((timer & LVT_PERIODIC) === 0) return units >= this.initialCount ? -1 : period;
    return this.initialCount === 0 ? -1 : (Math.floor(units / period) + 1) * period;
  }

  #expired(): void {
    this.deliverLocal(LVT_TIMER);
    if (this.#deadlineMode) {
      this.timerExpiry = -1;
      return;
    }
    // From the deadline, not from the clock: a late loop must not stretch the period.
    this.#arm(this.nextTime);
  }
}

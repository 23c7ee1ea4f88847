import { MEMORY_LAYOUT } from '../memory/layout.ts';
import type { MachineMemory } from '../memory/machine-memory.ts';
import type { HostClock, Timer, VirtualClock } from './clock.ts';
import { TimerQueue } from './timers.ts';

/*
 * How guest time follows host time.
 *
 * The naive way is to let the virtual clock be host time. It fails twice: inside a slice of instructions a guest
 * would need a host call for every RDTSC, and when the host takes the processor away for 50 ms the guest sees a jump
 * in the middle of a calibration loop, believes a wrong TSC rate and hangs (QEMU's microvm does, under load).
 *
 * So time inside a slice is made of instructions: slice start + executed * nsPerInsn, where nsPerInsn is a smoothed
 * measurement of how long an instruction takes here. After a slice the clock knows how far it is from host time
 * ("debt") and repays it by letting the next slice's instructions take up to a tenth longer or shorter: a slow host
 * stretches guest time and never makes it jump. (Adding the tenth at once, between two slices, is a jump of up to
 * 0.2 ms: Linux's calibration then misses a step of the PIT's high byte, every 0.214 ms, and gives up.) What is left is repaid when the guest idles, because a sleeping guest only sees its next timer fire.
 * Everything a guest can measure (TSC, PIT, LAPIC timer) is derived from this one value.
 */

/** Weight of the newest slice in the smoothed ns per instruction. */
const SMOOTHING = 0.1;
/** The most that one slice may change the estimate, as a factor: a preempted slice looks arbitrarily slow. */
const MAX_STEP = 1.5;
/** The most by which guest time runs faster or slower than measured, to get back to host time. */
const CORRECTION = 0.1;
/** Debt is repaid over about this much time; a hundredth of it is not worth the full correction. */
const REPAY_OVER_NS = 1e7;
/** Debt beyond this is forgiven: the process was suspended, not slow. */
const MAX_DEBT_NS = 5e9;
/** A slice's time may exceed its deadline's distance by nothing; without a deadline it is bounded by this. */
const MAX_SLICE_NS = 1e6;

/**
 * A sleeping guest's timer may fire this much early in host time. Host timers count milliseconds and may be one short; without
 * this every tick of a guest would wake the host twice. The next sleep is longer by as much.
 */
const EARLY_NS = 1e6;

/** What the clock asks of the vCPU that runs. */
export interface SliceCpu {
  readonly executed: number;
  limitBudget(n: number): void;
}

/** Clock options of a machine. */
export interface ClockOptions {
  /** Ticks of the guest's timestamp counter per second. */
  readonly tscHz: number;
  /** Count instructions instead of following the host: ns per instruction = 2^shift. */
  readonly icountShift?: number;
}

/** The machine's virtual clock and timestamp counter. */
export class MachineClock implements VirtualClock {
  readonly timers: TimerQueue = new TimerQueue();
  readonly tscHz: number;
  readonly icountShift: number | undefined;
  readonly #memory: MachineMemory;
  readonly #host: HostClock;
  readonly #tscPerNs: number;
  #now = 0;
  #running = false;
  /** Measured. */
  #nsPerInsn = 2;
  /** In use: the measurement with the correction towards host time. */
  #rate = 2;
  /** The vCPU of the running slice. */
  #cpu: SliceCpu | undefined;
  #sliceMaxNs = 0;
  #sliceHostStart = 0;
  /** Host time at which the virtual clock was (or would have been) `#anchorNs`. */
  #anchorHost = 0;
  #anchorNs = 0;
  /** TSC at virtual time `#tscRefNs`. */
  #tscRef = 0n;
  #tscRefNs = 0;

  constructor(memory: MachineMemory, host: HostClock, options: ClockOptions) {
    this.#memory = memory;
    this.#host = host;
    this.tscHz = options.tscHz;
    this.icountShift = options.icountShift;
    this.#tscPerNs = options.tscHz / 1e9;
    if (options.icountShift !== undefined) this.#rate = 2 ** options.icountShift;
    this.timers.onEarlier = (expiryNs) => this.#deadlineMoved(expiryNs);
  }

  /** Whole ns: devices compute deadlines from it, and a fraction lost to rounding would put one into the past for ever. */
  now(): number {
    if (this.#cpu === undefined) return Math.trunc(this.#now);
    return Math.trunc(this.#now + Math.min(this.#cpu.executed * this.#rate, this.#sliceMaxNs));
  }

  timer(name: string, callback: () => void): Timer {
    return this.timers.create(name, callback);
  }

  /** Smoothed measurement of the host time that an instruction takes. */
  get nsPerInsn(): number {
    return this.#nsPerInsn;
  }

  /** True while virtual time passes. */
  get running(): boolean {
    return this.#running;
  }

  /** Guest timestamp counter now. */
  tsc(): bigint {
    return this.#tscAt(this.now());
  }

  #tscAt(ns: number): bigint {
    return this.#tscRef + BigInt(Math.trunc((ns - this.#tscRefNs) * this.#tscPerNs));
  }

  /** Sets the timestamp counter, as WRMSR or an incoming migration does. */
  setTsc(value: bigint): void {
    this.#tscRef = value;
    this.#tscRefNs = this.now();
  }

  /** Continues from `ns` and `tsc`, as saved by another machine. Only while stopped. */
  restore(ns: number, tsc: bigint): void {
    this.#now = ns;
    this.#tscRef = tsc;
    this.#tscRefNs = ns;
  }

  /** Time runs from here on. */
  start(): void {
    if (this.#running) return;
    this.#running = true;
    this.#reanchor();
  }

  /** Time stands still. */
  stop(): void {
    this.#running = false;
  }

  #reanchor(): void {
    this.#anchorHost = this.#host.monotonicNs();
    this.#anchorNs = this.#now;
  }

  /** How far the virtual clock is behind host time; negative when ahead. */
  #debt(hostNow: number): number {
    const debt = this.#anchorNs + (hostNow - this.#anchorHost) - this.#now;
    if (debt <= MAX_DEBT_NS) return debt;
    this.#anchorHost += debt - MAX_DEBT_NS;
    return MAX_DEBT_NS;
  }

  /** Instructions until the earliest timer or the end of a turn of the loop, at most `limit`. */
  budget(limit: number): number {
    const left = this.timers.deadline - this.#now;
    const most = this.icountShift === undefined ? Math.min(left, MAX_SLICE_NS) : left;
    if (most >= limit * this.#rate) return limit;
    return Math.max(1, Math.ceil(most / this.#rate));
  }

  /** A vCPU is about to run: writes the time cells that generated code reads. */
  beginSlice(cpu: SliceCpu): void {
    this.#cpu = cpu;
    this.#sliceHostStart = this.#host.monotonicNs();
    this.#sliceMaxNs =
      this.icountShift === undefined
        ? Math.min(MAX_SLICE_NS, Math.max(this.#rate, this.timers.deadline - this.#now))
        : Number.MAX_SAFE_INTEGER;
    const { f64, u64 } = this.#memory;
    f64[MEMORY_LAYOUT.sliceStartNs / 8] = this.#now;
    f64[MEMORY_LAYOUT.nsPerInsn / 8] = this.#rate;
    f64[MEMORY_LAYOUT.sliceMaxNs / 8] = this.#sliceMaxNs;
    u64[MEMORY_LAYOUT.tscAtSliceStart / 8] = BigInt.asUintN(64, this.#tscAt(this.#now));
    f64[MEMORY_LAYOUT.tscPerNs / 8] = this.#tscPerNs;
  }

  /** The vCPU came back after `executed` instructions. */
  endSlice(executed: number): void {
    const elapsed = Math.min(executed * this.#rate, this.#sliceMaxNs);
    this.#cpu = undefined;
    this.#now += elapsed;
    if (this.icountShift !== undefined) return;
    const hostNow = this.#host.monotonicNs();
    const hostElapsed = hostNow - this.#sliceHostStart;
    if (executed >= 64) {
      const measured = Math.min(
        Math.max(hostElapsed / executed, this.#nsPerInsn / MAX_STEP),
        this.#nsPerInsn * MAX_STEP,
      );
      this.#nsPerInsn += (measured - this.#nsPerInsn) * SMOOTHING;
    }
    const correction = Math.max(-CORRECTION, Math.min(CORRECTION, this.#debt(hostNow) / REPAY_OVER_NS));
    this.#rate = this.#nsPerInsn * (1 + correction);
  }

  /** Moves forward, but never past a timer: it must fire at its own time. */
  #advance(ns: number): void {
    this.#now = Math.max(this.#now, Math.min(this.#now + ns, this.timers.deadline));
  }

  #deadlineMoved(expiryNs: number): void {
    if (this.#cpu === undefined) return;
    const left = expiryNs - this.now();
    this.#cpu.limitBudget(left <= 0 ? 0 : Math.ceil(left / this.#rate));
    // The cells stay as written: generated code clamps at the old deadline, which the shorter budget never reaches.
  }

  /**
   * Every vCPU is halted: lets time pass. Answers how long the loop may sleep (ns, Infinity without a timer),
   * or 0 when a timer is due.
   */
  idle(): number {
    if (this.icountShift !== undefined) {
      // Counting instructions, an idle guest's time goes straight to its next event.
      if (this.timers.deadline === Number.POSITIVE_INFINITY) return Number.POSITIVE_INFINITY;
      this.#now = Math.max(this.#now, this.timers.deadline);
      return 0;
    }
    const hostNow = this.#host.monotonicNs();
    const debt = this.#debt(hostNow);
    if (debt > 0) this.#advance(debt);
    const left = this.timers.deadline - this.#now;
    if (left <= 0 || left === Number.POSITIVE_INFINITY) return Math.max(0, left);
    const sleep = left - Math.min(0, this.#debt(hostNow));
    if (sleep > EARLY_NS) return sleep;
    this.#now = this.timers.deadline;
    return 0;
  }
}

import { CpuExit, type VCpu } from '../cpu/define-cpu.ts';
import type { HostClock } from '../time/clock.ts';
import type { MachineClock } from '../time/machine-clock.ts';
import type { EventLoop } from './event-loop.ts';

/** Instructions in one slice of a slow guest, or of one that shares its turn; bounds the latency of requests from outside. */
const SLICE_INSTRUCTIONS = 50_000;
/** A slice of faster code is longer: about this much host time, or the most instructions. */
const SLICE_NS = 2e5;
const MAX_SLICE_INSTRUCTIONS = 1_000_000;
/** Host time after which the loop lets sockets, control and migration run. */
const TURN_NS = 1e6;
/**
 * A throttled machine runs this long between two pauses, as under QEMU. Shorter stretches would be kinder to a guest that
 * needs a moment of each millisecond, and not slow it down at all.
 */
const RUN_NS = 1e7;
/** Time for which a vCPU with a limit on dirtying may save up what it has not dirtied. */
const SAVED_NS = 1e7;
/** Instructions in a slice of such a vCPU: one that writes to a page with every second one must not do so for long. */
const LIMITED_SLICE = { least: 64, most: 10_000 };
/** Pages that it may dirty in a slice, as a share of those of a second. */
const SLICE_SHARE = 0.002;
/** Longest rest of all vCPUs at once: timers and others' interrupts wait no longer than this. */
const MAX_REST_NS = 1e7;
/** Longest sleep; a host timer cannot be longer than this anyway. */
const MAX_SLEEP_MS = 2 ** 30;

/** What the run loop tells its machine. */
export interface RunLoopEvents {
  /** Handles requests (reset, shutdown) that were made during a slice; answers whether vCPUs may go on. */
  afterSlice(): boolean;
  /** A vCPU shut down (triple fault). */
  cpuShutdown(cpu: VCpu): void;
  /** A vCPU stopped for a debugger. */
  debugStop(cpu: VCpu): void;
  /** Something threw inside a slice: an error of ours, never of the guest. */
  failed(error: unknown): void;
}

/** How fast a vCPU may dirty memory. */
interface DirtyQuota {
  readonly nsPerPage: number;
  /** Instructions of its next slice: it should not dirty much more than its share of pages. */
  slice: number;
  /** What its counter was when it was last looked at. */
  seen: number;
  /** Host time until which it gets no slice. */
  restUntil: number;
  /** Longest time it had to rest since it was asked for, in ns. */
  longestRest: number;
}

/**
 * Runs vCPUs in slices on the host's event loop, round-robin. Timers fire between slices; the loop sleeps when every
 * vCPU is halted and never holds the host's loop for much longer than a millisecond.
 */
export class RunLoop {
  readonly #cpus: readonly VCpu[];
  readonly #clock: MachineClock;
  readonly #host: HostClock;
  readonly #loop: EventLoop;
  readonly #events: RunLoopEvents;
  #running = false;
  #inTurn = false;
  /** A turn is already scheduled. */
  #scheduled = false;
  #sleep: { cancel(): void } | undefined;
  #next = 0;
  /** The vCPU whose slice runs; undefined between slices. */
  current: VCpu | undefined;
  /** vCPUs that a debugger holds: they get no slices. */
  readonly held: Set<VCpu> = new Set();
  /** The guest sleeps: timers fire, no vCPU gets a slice. */
  asleep = false;
  /** vCPUs that wait for a page; any {@link wake} lets them try again. */
  readonly #waiting = new Set<VCpu>();
  readonly #quotas = new Map<VCpu, DirtyQuota>();
  #throttle = 0;
  /** Host time at which the last pause ended. */
  #ranSince = 0;
  /** When a pause began; undefined while there is none. */
  #pausedAt: number | undefined;
  /** Instructions executed since creation, for statistics. */
  executed = 0;

  constructor(cpus: readonly VCpu[], clock: MachineClock, host: HostClock, loop: EventLoop, events: RunLoopEvents) {
    this.#cpus = cpus;
    this.#clock = clock;
    this.#host = host;
    this.#loop = loop;
    this.#events = events;
  }

  /**
   * Percentage of host time in which vCPUs do not run, 0 to 99 (QEMU's cpu-throttle): after each ten milliseconds they
   * pause for p / (100 - p) of that time, whether they were busy or not. Devices go on meanwhile: of several ticks in one
   * pause the guest sees the last, and does not make up for the work that the others would have been.
   */
  get throttle(): number {
    return this.#throttle;
  }
  /** Changes it at once. @throws RangeError outside of 0 to 99 */
  set throttle(percentage: number) {
    if (!(percentage >= 0 && percentage <= 99)) throw new RangeError(`a throttle of ${percentage} %`);
    if (this.#throttle === 0) this.#ranSince = this.#host.monotonicNs();
    this.#throttle = percentage;
    if (percentage > 0) return;
    if (this.#pausedAt === undefined) return;
    this.#pausedAt = undefined;
    this.wake();
  }

  /**
   * Lets a vCPU dirty so many pages in a second of host time: one that has dirtied more rests until it fits. Only pages count
   * that carry the flag {@link PAGE_CLEAN_LIMIT}, once each time they do. Undefined takes the limit away.
   *
   * @throws RangeError when it is not positive; TypeError when the vCPU does not count
   */
  limitDirtying(cpu: VCpu, pagesPerSecond: number | undefined): void {
    if (pagesPerSecond === undefined) {
      if (this.#quotas.delete(cpu)) this.wake();
      return;
    }
    if (!(pagesPerSecond > 0)) throw new RangeError(`a limit of ${pagesPerSecond} pages`);
    if (cpu.dirtied === undefined) throw new TypeError('this vCPU does not count the pages that it dirties');
    const restUntil = this.#host.monotonicNs();
    const { least: slice } = LIMITED_SLICE;
    this.#quotas.set(cpu, { nsPerPage: 1e9 / pagesPerSecond, slice, seen: cpu.dirtied, restUntil, longestRest: 0 });
  }

  /** Longest time in ns that a vCPU had to rest for its limit since this was last asked. */
  takeLongestRest(): number {
    let longest = 0;
    for (const quota of this.#quotas.values()) {
      longest = Math.max(longest, quota.longestRest);
      quota.longestRest = 0;
    }
    return longest;
  }

  start(): void {
    if (this.#running) return;
    this.#running = true;
    this.#clock.start();
    this.wake();
  }

  /** No slice runs after this returns. */
  stop(): void {
    this.#running = false;
    this.#pausedAt = undefined;
    this.#clock.stop();
    this.#sleep?.cancel();
    this.#sleep = undefined;
  }

  /**
   * Something happened that vCPUs may be waiting for: an interrupt, input, a timer that moved, a page that came. With an index
   * it is the vCPU that has to react: when another one has its turn, it ends.
   */
  wake(cpu?: number): void {
    this.#waiting.clear();
    const { current } = this;
    if (cpu !== undefined && current !== undefined && current.index !== cpu) current.requestExit();
    if (!this.#running || this.#inTurn || this.#scheduled || this.#pausedAt !== undefined) return;
    this.#sleep?.cancel();
    this.#sleep = undefined;
    this.#schedule();
  }

  #schedule(): void {
    this.#scheduled = true;
    this.#loop.soon(() => {
      this.#scheduled = false;
      this.#turn();
    });
  }

  #turn(): void {
    if (!this.#running) return;
    this.#inTurn = true;
    let sleepNs = 0;
    let restNs = 0;
    try {
      const end = this.#host.monotonicNs() + TURN_NS;
      do {
        this.#clock.timers.run(this.#clock.now());
        const cpu = this.#pick();
        if (cpu === undefined) {
          restNs = this.#restLeft();
          if (restNs > 0) break;
          sleepNs = this.#clock.idle();
          if (sleepNs > 0) break;
          continue;
        }
        this.#slice(cpu);
        if (!this.#events.afterSlice()) break;
      } while (this.#running && this.#host.monotonicNs() < end);
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#inTurn = false;
    }
    if (!this.#running) return;
    if (this.#throttle > 0 && this.#pause()) return;
    if (restNs > 0) {
      this.#rest(restNs);
      return;
    }
    if (sleepNs > 0) this.#sleepFor(sleepNs);
    else this.#schedule();
  }

  #fail(error: unknown): void {
    this.#running = false;
    this.#clock.stop();
    this.#events.failed(error);
  }

  /** Begins a pause when the time since the last one has earned one. */
  #pause(): boolean {
    const now = this.#host.monotonicNs();
    if (now - this.#ranSince < RUN_NS) return false;
    const ratio = this.#throttle / (100 - this.#throttle);
    const owed = RUN_NS * ratio;
    this.#pausedAt = now;
    this.#sleep = this.#loop.after(Math.max(1, Math.round(owed / 1e6)), () => {
      const end = this.#host.monotonicNs();
      this.#sleep = undefined;
      this.#pausedAt = undefined;
      // Host timers count milliseconds and are late: what a pause was too long, the next one comes later.
      this.#ranSince = end + Math.min(end - now - owed, owed) / ratio;
      this.#elapse();
      this.#turn();
    });
    return true;
  }

  /** Charges a vCPU for the pages that it has dirtied in its slice. */
  #charge(cpu: VCpu, quota: DirtyQuota): void {
    const pages = (cpu.dirtied! - quota.seen) >>> 0;
    quota.seen = cpu.dirtied!;
    const share = Math.max(1, (SLICE_SHARE * 1e9) / quota.nsPerPage);
    const wanted = pages > share ? Math.floor((cpu.executed * share) / pages) : quota.slice * 2;
    quota.slice = Math.min(LIMITED_SLICE.most, Math.max(LIMITED_SLICE.least, wanted));
    if (pages === 0) return;
    const now = this.#host.monotonicNs();
    quota.restUntil = Math.max(quota.restUntil, now - SAVED_NS) + pages * quota.nsPerPage;
    quota.longestRest = Math.max(quota.longestRest, quota.restUntil - now);
  }

  /** Time until the first vCPU that rests, and has something to do, may go on. */
  #restLeft(): number {
    let first = Number.POSITIVE_INFINITY;
    for (const [cpu, { restUntil }] of this.#quotas) if (this.#hasSlices(cpu)) first = Math.min(first, restUntil);
    return first === Number.POSITIVE_INFINITY ? 0 : Math.max(0, first - this.#host.monotonicNs());
  }

  /** Nobody runs for a while; devices go on as in the pauses of a throttled machine. */
  #rest(ns: number): void {
    this.#pausedAt = this.#host.monotonicNs();
    this.#sleep = this.#loop.after(Math.max(1, Math.round(Math.min(ns, MAX_REST_NS) / 1e6)), () => {
      this.#sleep = undefined;
      this.#pausedAt = undefined;
      this.#elapse();
      this.#turn();
    });
  }

  /** Lets guest time catch up with a pause, with all timers that expired in it. */
  #elapse(): void {
    const clock = this.#clock;
    // Where time is made of instructions none has passed.
    if (clock.icountShift !== undefined) return;
    try {
      do clock.timers.run(clock.now());
      while (clock.idle() === 0);
    } catch (error) {
      this.#fail(error);
    }
  }

  #slice(cpu: VCpu): void {
    const clock = this.#clock;
    const quota = this.#quotas.size === 0 ? undefined : this.#quotas.get(cpu);
    this.current = cpu;
    clock.beginSlice(cpu);
    let exit: CpuExit;
    try {
      const contended = this.#contended(cpu);
      const fast = contended ? 0 : Math.min(MAX_SLICE_INSTRUCTIONS, Math.floor(SLICE_NS / clock.nsPerInsn));
      exit = cpu.run(clock.budget(quota?.slice ?? Math.max(SLICE_INSTRUCTIONS, fast)), contended);
    } finally {
      this.current = undefined;
      clock.endSlice(cpu.executed);
      this.executed += cpu.executed;
    }
    if (quota !== undefined) this.#charge(cpu, quota);
    if (exit === CpuExit.SHUTDOWN) this.#events.cpuShutdown(cpu);
    else if (exit === CpuExit.PAGE_WAIT) this.#waiting.add(cpu);
    else if (exit === CpuExit.DEBUG) this.#events.debugStop(cpu);
  }

  #runnable(cpu: VCpu): boolean {
    if (!this.#hasSlices(cpu)) return false;
    const quota = this.#quotas.size === 0 ? undefined : this.#quotas.get(cpu);
    return quota === undefined || quota.restUntil <= this.#host.monotonicNs();
  }

  /** Whether it gets slices as far as it is not resting. */
  #hasSlices(cpu: VCpu): boolean {
    return !this.asleep && (!cpu.halted || cpu.hasWork()) && !this.held.has(cpu) && !this.#waiting.has(cpu);
  }

  /** Whether a vCPU beside this one has something to do. */
  #contended(cpu: VCpu): boolean {
    if (this.#cpus.length === 1) return false;
    for (const other of this.#cpus) if (other !== cpu && this.#runnable(other)) return true;
    return false;
  }

  /** The next vCPU with something to do. */
  #pick(): VCpu | undefined {
    for (let i = 0; i < this.#cpus.length; i++) {
      const cpu = this.#cpus[(this.#next + i) % this.#cpus.length]!;
      if (!this.#runnable(cpu)) continue;
      this.#next = (this.#next + i + 1) % this.#cpus.length;
      return cpu;
    }
    return undefined;
  }

  #sleepFor(ns: number): void {
    if (ns === Number.POSITIVE_INFINITY) {
      // Only an event from outside can wake the guest; `wake` schedules the next turn.
      this.#sleep = { cancel: () => {} };
      return;
    }
    this.#sleep = this.#loop.after(Math.min(MAX_SLEEP_MS, Math.max(1, Math.round(ns / 1e6))), () => {
      this.#sleep = undefined;
      this.#turn();
    });
  }
}

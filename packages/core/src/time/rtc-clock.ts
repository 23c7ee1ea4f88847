import type { HostClock, RtcClock, RtcTimer } from './clock.ts';
import type { MachineClock } from './machine-clock.ts';

/**
 * QEMU's rtc_clock. With `clock=host` it is the wall clock plus a fixed offset and runs on while the machine is
 * stopped; with `clock=vm` it is the virtual clock plus the base.
 */
export class MachineRtcClock implements RtcClock {
  readonly #read: () => bigint;
  readonly #date: () => bigint;
  readonly #clock: MachineClock;
  /** Armed timers that look whether they are due when the clock is read. */
  readonly #armed = new Set<(now: bigint) => void>();

  constructor(
    clock: MachineClock,
    host: HostClock,
    options: { readonly source: 'host' | 'vm'; readonly baseNs?: bigint },
  ) {
    this.#clock = clock;
    if (options.source === 'host') {
      const offset = options.baseNs === undefined ? 0n : options.baseNs - host.wallNs();
      // The wire carries bare host time (QEMU's rtc_clock); only the date that the device starts with is shifted.
      this.#read = () => host.wallNs();
      this.#date = () => host.wallNs() + offset;
    } else {
      const base = options.baseNs ?? host.wallNs();
      this.#read = () => BigInt(Math.trunc(clock.now()));
      this.#date = () => base + this.#read();
    }
  }

  dateNs(): bigint {
    return this.#date();
  }

  /**
   * The wall clock may be ahead of the virtual one, for which timers wait. A guest that reads a clock beyond a deadline
   * must not go on to wait for the timer in slower time, so that is fired now.
   */
  now(): bigint {
    const now = this.#read();
    for (const look of this.#armed) look(now);
    return now;
  }

  timer(name: string, callback: () => void): RtcTimer {
    const armed = this.#armed;
    let expiryNs = -1n;
    // The wall clock has no queue of its own: a virtual timer wakes up when both clocks should agree, and looks again.
    const wake = this.#clock.timer(name, () => {
      if (expiryNs === -1n) return;
      if (this.#read() >= expiryNs) {
        expiryNs = -1n;
        armed.delete(look);
        callback();
      } else schedule();
    });
    const look = (now: bigint) => {
      if (now < expiryNs) return;
      armed.delete(look);
      wake.arm(this.#clock.now());
    };
    const schedule = () => {
      const left = expiryNs - this.#read();
      // Far deadlines are looked at again after a while, so that a stepped wall clock is noticed.
      const ns = left <= 0n ? 0 : Number(left < 1_000_000_000n ? left : 1_000_000_000n);
      wake.arm(Math.ceil(this.#clock.now() + ns));
    };
    return {
      get expiryNs() {
        return expiryNs;
      },
      arm(at) {
        expiryNs = at < 0n ? 0n : at;
        armed.add(look);
        schedule();
      },
      cancel() {
        expiryNs = -1n;
        armed.delete(look);
        wake.cancel();
      },
    };
  }
}

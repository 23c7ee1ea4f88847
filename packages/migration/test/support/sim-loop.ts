import type { EventLoop } from '@sterna/core';
import { Pace } from '../../src/pace.ts';

/** An event loop on simulated time: nothing in it depends on how fast the host is. */
export class SimLoop implements EventLoop {
  nowNs = 0;
  /** Called once for each simulated 0.1 ms, e.g. to let a guest write. */
  onTick: () => void = () => {};
  #soon: (() => void)[] = [];
  #timers: { at: number; callback: () => void }[] = [];

  readonly pace: Pace = new Pace(this, this);

  /** Looking at the clock takes time too, so that loops which wait for it end. */
  monotonicNs(): number {
    this.nowNs += 1000;
    return this.nowNs;
  }
  soon(callback: () => void): void {
    this.#soon.push(callback);
  }
  after(ms: number, callback: () => void): { cancel(): void } {
    const timer = { at: this.nowNs + ms * 1e6, callback };
    this.#timers.push(timer);
    return {
      cancel: () => {
        this.#timers = this.#timers.filter((other) => other !== timer);
      },
    };
  }

  /** Runs until the promise settles. @throws Error when nothing could ever happen again, or after too much simulated time */
  async run<T>(promise: Promise<T>, limitMs = 60_000): Promise<T> {
    let settled = false;
    const watched = promise.finally(() => {
      settled = true;
    });
    watched.catch(() => {});
    let idle = 0;
    while (!settled) {
      await new Promise((resolve) => setImmediate(resolve));
      const ready = this.#soon;
      this.#soon = [];
      if (ready.length > 0) {
        idle = 0;
        for (const callback of ready) callback();
        this.#advance(this.nowNs + 100_000);
      } else if (this.#timers.length > 0) {
        idle = 0;
        this.#advance(Math.min(...this.#timers.map(({ at }) => at)));
      } else if (++idle > 50) throw new Error('the simulation hangs');
      if (this.nowNs > limitMs * 1e6) throw new Error(`not done after ${limitMs} simulated ms`);
    }
    return watched;
  }

  #advance(to: number): void {
    while (this.nowNs < to) {
      this.nowNs = Math.min(to, this.nowNs + 100_000);
      this.onTick();
    }
    const due = this.#timers.filter(({ at }) => at <= this.nowNs);
    this.#timers = this.#timers.filter(({ at }) => at > this.nowNs);
    for (const { callback } of due.sort((a, b) => a.at - b.at)) callback();
  }
}

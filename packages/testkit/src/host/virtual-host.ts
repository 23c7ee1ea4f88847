import type { EventLoop, HostClock, MachineHost } from '@sterna/core';
import { Random } from './random.ts';

interface Waiting {
  readonly at: number;
  readonly order: number;
  callback: (() => void) | undefined;
}

/**
 * A host that only the test moves: clock, event loop, entropy and files. Time stands still until it is told to pass;
 * the same calls always end in the same state.
 */
export class VirtualHost {
  /** Monotonic time, ns. */
  nowNs = 1_000_000_000;
  /** Lines that the machine and its devices have logged. */
  readonly log: string[] = [];
  /** Files that devices have written. */
  readonly files: Map<string, Uint8Array> = new Map();
  readonly #random: Random;
  #order = 0;
  #waiting: Waiting[] = [];

  /** @param seed - Decides what devices get as entropy. */
  constructor(seed = 1) {
    this.#random = new Random(seed);
  }

  /** The clocks. The wall clock stands at 2023-11-14 plus the monotonic time. */
  readonly clock: HostClock = {
    monotonicNs: () => this.nowNs,
    wallNs: () => 1_700_000_000_000_000_000n + BigInt(this.nowNs),
  };

  /** The event loop; its callbacks run in {@link VirtualHost.advance}. */
  readonly loop: EventLoop = {
    soon: (callback) => void this.#enter(0, callback),
    after: (ms, callback) => {
      const entry = this.#enter(ms * 1e6, callback);
      return {
        cancel: () => {
          entry.callback = undefined;
        },
      };
    },
  };

  /** What a machine is built on. */
  readonly machineHost: MachineHost = {
    clock: this.clock,
    loop: this.loop,
    entropy: {
      fill: (bytes) => {
        for (let i = 0; i < bytes.length; i++) bytes[i] = this.#random.below(256);
      },
    },
    files: {
      write: (path, bytes) => void this.files.set(path, bytes.slice()),
      append: (path, bytes) => {
        const before = this.files.get(path) ?? new Uint8Array();
        const all = new Uint8Array(before.length + bytes.length);
        all.set(before);
        all.set(bytes, before.length);
        this.files.set(path, all);
      },
    },
    log: (level, source, text) => void this.log.push(`${level} ${source}: ${text}`),
    tscHz: 1e9,
  };

  /** Callbacks that wait for their time. */
  get pending(): number {
    return this.#waiting.filter(({ callback }) => callback !== undefined).length;
  }

  #enter(ns: number, callback: () => void): Waiting {
    const entry = { at: this.nowNs + Math.max(0, ns), order: this.#order++, callback };
    this.#waiting.push(entry);
    return entry;
  }

  /** Lets `ns` pass and runs what becomes due, in order. */
  advance(ns: number): void {
    const end = this.nowNs + ns;
    while (this.step(end));
    this.nowNs = end;
  }

  /** Runs the next callback that is due until `end`, which is a time of {@link VirtualHost.nowNs}. Answers whether there was one. */
  step(end: number = Number.POSITIVE_INFINITY): boolean {
    let next: Waiting | undefined;
    this.#waiting = this.#waiting.filter(({ callback }) => callback !== undefined);
    for (const entry of this.#waiting)
      if (next === undefined || entry.at < next.at || (entry.at === next.at && entry.order < next.order)) next = entry;
    if (next === undefined || next.at > end) return false;
    const { callback } = next;
    next.callback = undefined;
    this.nowNs = Math.max(this.nowNs, next.at);
    callback?.();
    return true;
  }

  /**
   * Runs callbacks, and promises between them, until the promise settles.
   *
   * @throws Error when nothing is left that could settle it
   */
  async settle<T>(promise: Promise<T>): Promise<T> {
    let settled = false;
    promise.then(
      () => (settled = true),
      () => (settled = true),
    );
    for (let idle = 0; !settled; ) {
      await new Promise<void>((resolve) => setTimeout(resolve, 0));
      if (settled) break;
      if (this.step()) idle = 0;
      else if (++idle > 100) throw new Error('the simulation hangs: nothing is left that could happen');
    }
    return promise;
  }
}

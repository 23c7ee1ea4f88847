/**
 * The event loop of a simulation: a queue of callbacks in virtual time.
 *
 * Nothing in it depends on how fast the host is. Between two callbacks all
 * promises settle as far as they can (the caller lets one turn of the real loop
 * pass), so a simulation is a sequence of single steps with a state in between
 * that can be looked at.
 *
 * Every simulated process has a {@link Lane} of its own. What a lane has
 * pending can be counted, to find timers that somebody left behind; a frozen
 * lane calls nothing any more, as if its process had been killed.
 */
import type { EventLoop } from '@sterna/core';
import { Pace } from '@sterna/migration';
import type { Dice } from './dice.ts';

/** Time that passes while somebody reads the clock, so that loops which wait for it end. */
const CLOCK_READ_NS = 1000;
/** Time from `soon` to the callback. */
const SOON_NS = 100_000;
const TICK_NS = 100_000;

interface Entry {
  readonly at: number;
  /** Decides between entries of one moment. */
  readonly order: number;
  readonly lane: Lane;
  /** Undefined once cancelled. */
  callback: (() => void) | undefined;
}

/** One process's view of the loop. */
export class Lane implements EventLoop {
  readonly name: string;
  /** Callbacks that wait: timers and `soon`. */
  pending = 0;
  readonly #loop: SimLoop;
  #frozen = false;
  readonly pace: Pace = new Pace(this, this);

  constructor(loop: SimLoop, name: string) {
    this.#loop = loop;
    this.name = name;
  }
  /** Whether nothing of this lane runs. */
  get frozen(): boolean {
    return this.#frozen;
  }
  /** The process is dead: nothing it waits for ever comes. */
  freeze(): void {
    this.#frozen = true;
  }
  monotonicNs(): number {
    return this.#loop.monotonicNs();
  }
  soon(callback: () => void): void {
    this.#loop.enter(this, SOON_NS, callback);
  }
  after(ms: number, callback: () => void): { cancel(): void } {
    return this.#loop.enter(this, ms * 1e6, callback);
  }
  /** Resolves after `ms`. */
  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.after(ms, resolve));
  }
}

/** Lets everything that is already decided happen: one turn of the real event loop. */
export function realTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** An event loop on virtual time. It is its own first lane, for simulations of one process. */
export class SimLoop implements EventLoop {
  nowNs = 0;
  /** Time goes on: told before the callbacks of the later moment run, e.g. to let a guest work. */
  onAdvance: (fromNs: number, toNs: number) => void = () => {};
  readonly #main: Lane = new Lane(this, 'main');
  /** With a generator, `soon` and timers come a little later than they should, by amounts of its choice. */
  readonly #jitter: Dice | undefined;
  /** A binary heap. */
  readonly #queue: Entry[] = [];
  #order = 0;
  /** The moment up to which {@link SimLoop.onAdvance} was told. */
  #seenNs = 0;

  constructor(jitter?: Dice) {
    this.#jitter = jitter;
  }
  /** The loop's time, as a migration waits in it. */
  get pace(): Pace {
    return this.#main.pace;
  }
  /** Calls back once for each 0.1 ms of virtual time. */
  set onTick(callback: () => void) {
    this.onAdvance = (from, to) => {
      for (let tick = Math.floor(from / TICK_NS); tick < Math.floor(to / TICK_NS); tick++) callback();
    };
  }
  lane(name: string): Lane {
    return new Lane(this, name);
  }
  monotonicNs(): number {
    this.nowNs += CLOCK_READ_NS;
    return this.nowNs;
  }
  soon(callback: () => void): void {
    this.#main.soon(callback);
  }
  after(ms: number, callback: () => void): { cancel(): void } {
    return this.#main.after(ms, callback);
  }

  /** For lanes. */
  enter(lane: Lane, ns: number, callback: () => void): { cancel(): void } {
    const jitter = this.#jitter === undefined ? 0 : this.#jitter.below(60_000);
    const entry: Entry = { at: this.nowNs + Math.max(0, ns) + jitter, order: this.#order++, lane, callback };
    lane.pending++;
    push(this.#queue, entry);
    return {
      cancel: () => {
        if (entry.callback === undefined) return;
        entry.callback = undefined;
        lane.pending--;
      },
    };
  }

  /** Goes on to the next callback and calls it. @returns whether there was one */
  step(): boolean {
    for (;;) {
      const entry = pop(this.#queue);
      if (entry === undefined) return false;
      const { callback, lane } = entry;
      if (callback === undefined) continue;
      entry.callback = undefined;
      lane.pending--;
      if (lane.frozen) continue;
      this.nowNs = Math.max(this.nowNs, entry.at);
      const from = this.#seenNs;
      this.#seenNs = this.nowNs;
      this.onAdvance(from, this.nowNs);
      callback();
      return true;
    }
  }

  /** Runs until the promise settles. @throws Error when nothing could ever happen again, or after too much virtual time */
  async run<T>(promise: Promise<T>, limitMs = 60_000): Promise<T> {
    let settled = false;
    const watched = promise.finally(() => {
      settled = true;
    });
    watched.catch(() => {});
    for (let idle = 0; !settled; ) {
      await realTurn();
      if (this.step()) idle = 0;
      // A few turns are left to promises that come from outside, such as the compilation of a module.
      else if (!settled && ++idle > 50) throw new Error('the simulation hangs');
      if (!settled && this.nowNs > limitMs * 1e6) throw new Error(`not done after ${limitMs} simulated ms`);
    }
    return watched;
  }
}

function before(a: Entry, b: Entry): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

function push(heap: Entry[], entry: Entry): void {
  let at = heap.length;
  heap.push(entry);
  while (at > 0) {
    const parent = (at - 1) >> 1;
    if (!before(entry, heap[parent]!)) break;
    heap[at] = heap[parent]!;
    at = parent;
  }
  heap[at] = entry;
}

function pop(heap: Entry[]): Entry | undefined {
  const top = heap[0];
  const last = heap.pop();
  if (top === undefined || last === undefined || heap.length === 0) return top;
  let at = 0;
  for (;;) {
    let child = 2 * at + 1;
    if (child >= heap.length) break;
    if (child + 1 < heap.length && before(heap[child + 1]!, heap[child]!)) child++;
    if (!before(heap[child]!, last)) break;
    heap[at] = heap[child]!;
    at = child;
  }
  heap[at] = last;
  return top;
}

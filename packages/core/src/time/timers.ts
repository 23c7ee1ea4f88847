import type { Timer } from './clock.ts';

/** Timers of one clock in order of expiry; equal ones in order of arming. */
export class TimerQueue {
  readonly #armed: QueuedTimer[] = [];
  /** Told when the earliest deadline moved forward. */
  onEarlier: (expiryNs: number) => void = () => {};

  /** Makes a timer. `isAlive` answers false when its owner has been unrealized. */
  create(name: string, callback: () => void, isAlive: () => boolean = () => true): Timer {
    return new QueuedTimer(this, name, callback, isAlive);
  }

  /** Earliest deadline, or Infinity. */
  get deadline(): number {
    return this.#armed.length === 0 ? Number.POSITIVE_INFINITY : this.#armed[0]!.expiryNs;
  }

  /** The timers that are armed, in order of expiry; for tests and monitors. */
  get armed(): readonly { readonly name: string; readonly expiryNs: number }[] {
    return this.#armed;
  }

  /** Fires what is due at `now`; a timer that re-arms itself in the past fires once per call. */
  run(now: number): void {
    if (this.deadline > now) return;
    const due: QueuedTimer[] = [];
    while (this.deadline <= now) {
      const timer = this.#armed.shift()!;
      due.push(timer);
      timer.due = true;
    }
    for (const timer of due) {
      // A callback before this one may have cancelled or re-armed it.
      if (!timer.due) continue;
      timer.due = false;
      timer.expiryNs = -1;
      timer.fire();
    }
  }

  /** @internal */
  insert(timer: QueuedTimer): void {
    let index = this.#armed.length;
    while (index > 0 && this.#armed[index - 1]!.expiryNs > timer.expiryNs) index--;
    this.#armed.splice(index, 0, timer);
    if (index === 0) this.onEarlier(timer.expiryNs);
  }

  /** @internal */
  remove(timer: QueuedTimer): void {
    const index = this.#armed.indexOf(timer);
    if (index >= 0) this.#armed.splice(index, 1);
  }
}

class QueuedTimer implements Timer {
  expiryNs = -1;
  due = false;
  readonly name: string;
  readonly #queue: TimerQueue;
  readonly #callback: () => void;
  readonly #isAlive: () => boolean;

  constructor(queue: TimerQueue, name: string, callback: () => void, isAlive: () => boolean) {
    this.#queue = queue;
    this.name = name;
    this.#callback = callback;
    this.#isAlive = isAlive;
  }

  arm(expiryNs: number): void {
    if (this.expiryNs !== -1 && !this.due) this.#queue.remove(this);
    this.due = false;
    this.expiryNs = Math.max(0, expiryNs);
    this.#queue.insert(this);
  }

  cancel(): void {
    if (this.expiryNs !== -1 && !this.due) this.#queue.remove(this);
    this.due = false;
    this.expiryNs = -1;
  }

  fire(): void {
    if (this.#isAlive()) this.#callback();
  }
}

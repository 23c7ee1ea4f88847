import type { EventLoop, HostClock } from '@sterna/core';

/** Time and turns of the host's event loop as awaitable calls. */
export class Pace {
  readonly #loop: EventLoop;
  readonly #clock: Pick<HostClock, 'monotonicNs'>;

  constructor(loop: EventLoop, clock: Pick<HostClock, 'monotonicNs'>) {
    this.#loop = loop;
    this.#clock = clock;
  }

  /** Monotonic milliseconds. */
  now(): number {
    return this.#clock.monotonicNs() / 1e6;
  }

  /** Resolves after everything else that waits for the loop has had a turn: vCPUs, sockets, control. */
  turn(): Promise<void> {
    return new Promise((resolve) => this.#loop.soon(resolve));
  }

  /** Resolves after `ms`, or as soon as the signal is aborted. */
  sleep(ms: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = this.#loop.after(ms, done);
      signal.addEventListener('abort', done);
      function done(): void {
        timer.cancel();
        signal.removeEventListener('abort', done);
        resolve();
      }
    });
  }
}

/** Waits for the promise, or until the signal is aborted; throws the signal's reason then. Leaves no listener behind. */
export async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const listener = () => reject(signal.reason as Error);
  signal.addEventListener('abort', listener);
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', listener);
  }
}

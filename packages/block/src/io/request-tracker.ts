import { BlockError } from '@sterna/core';

/** A range of a node that a request touches. */
export interface TrackedRequest {
  readonly offset: number;
  readonly end: number;
  /** Nothing that overlaps may be under way with it: a read-modify-write, and what changes the length. */
  readonly serialising: boolean;
  /** Resolves when it is over. */
  readonly over: Promise<void>;
}

/**
 * The requests under way on one node. Overlapping requests run side by side, as on real disks, unless one of them is
 * serialising; then the later one waits. A request only waits for earlier ones, so none waits for ever.
 */
export class RequestTracker {
  readonly #requests = new Set<TrackedRequest>();
  #idle: PromiseWithResolvers<void> | undefined;

  /** Requests that have begun and are not over. */
  get count(): number {
    return this.#requests.size;
  }

  /**
   * Runs `action` as a request on `length` bytes from `offset`, once nothing stands in its way.
   *
   * @throws BlockError `ECANCELED` when `signal` ends the wait
   */
  async run<T>(
    range: { readonly offset: number; readonly length: number; readonly serialising: boolean },
    signal: AbortSignal | undefined,
    action: () => Promise<T>,
  ): Promise<T> {
    const over = Promise.withResolvers<void>();
    const request: TrackedRequest = {
      offset: range.offset,
      end: range.offset + range.length,
      serialising: range.serialising,
      over: over.promise,
    };
    const before = [...this.#requests].filter((other) => inTheWay(request, other));
    this.#requests.add(request);
    try {
      for (const other of before) {
        throwIfAborted(signal);
        await abortable(other.over, signal);
      }
      throwIfAborted(signal);
      return await action();
    } finally {
      this.#requests.delete(request);
      over.resolve();
      if (this.#requests.size === 0) {
        this.#idle?.resolve();
        this.#idle = undefined;
      }
    }
  }

  /** Resolves when no request is under way. */
  idle(): Promise<void> {
    if (this.#requests.size === 0) return Promise.resolve();
    this.#idle ??= Promise.withResolvers<void>();
    return this.#idle.promise;
  }
}

function inTheWay(request: TrackedRequest, other: TrackedRequest): boolean {
  if (!request.serialising && !other.serialising) return false;
  return request.offset < other.end && other.offset < request.end;
}

/** @throws BlockError `ECANCELED` when the request is not wanted any more */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true)
    throw new BlockError('ECANCELED', 'the request was cancelled', { cause: signal.reason as unknown });
}

/** Waits for `promise`, at most until `signal`. @throws BlockError `ECANCELED` */
export async function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return promise;
  throwIfAborted(signal);
  const aborted = Promise.withResolvers<never>();
  const abort = () => {
    try {
      throwIfAborted(signal);
    } catch (error) {
      aborted.reject(error as Error);
    }
  };
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

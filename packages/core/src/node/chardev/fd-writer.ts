import { write } from 'node:fs';

/** Bytes kept before the frontend has to wait. */
const HIGH_WATER = 64 * 1024;
/** How long to wait before trying a descriptor again that takes nothing now, in ms. */
const RETRY_MS = 5;

/**
 * Writes to a descriptor without ever blocking the event loop, whatever it is: terminal, pipe or file. One write is
 * under way at a time, in libuv's threads, so the order is kept.
 */
export class FdWriter {
  readonly #fd: number;
  readonly #onError: (error: NodeJS.ErrnoException) => void;
  #queue: Uint8Array[] = [];
  #queued = 0;
  #busy = false;
  #failed = false;
  #waiters: (() => void)[] = [];
  #idle: (() => void)[] = [];

  constructor(fd: number, onError: (error: NodeJS.ErrnoException) => void) {
    this.#fd = fd;
    this.#onError = onError;
  }

  /** Takes what fits in the queue; answers how many bytes that was. After an error everything is dropped. */
  write(bytes: Uint8Array): number {
    if (this.#failed) return bytes.length;
    const taken = Math.min(bytes.length, HIGH_WATER - this.#queued);
    if (taken <= 0) return 0;
    this.#queue.push(bytes.slice(0, taken));
    this.#queued += taken;
    this.#next();
    return taken;
  }

  /** Calls back once there is room. */
  onWritable(callback: () => void): void {
    if (this.#failed || this.#queued < HIGH_WATER / 2) queueMicrotask(callback);
    else this.#waiters.push(callback);
  }

  /** Resolves when everything is written, or given up. */
  drained(): Promise<void> {
    if (!this.#busy) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  #next(): void {
    if (this.#busy) return;
    if (this.#queue.length === 0) {
      for (const resolve of this.#idle.splice(0)) resolve();
      return;
    }
    this.#busy = true;
    const chunk = this.#queue.length === 1 ? this.#queue[0]! : Buffer.concat(this.#queue);
    this.#queue = [chunk];
    write(this.#fd, chunk, 0, chunk.length, null, (error, written) => this.#done(chunk, error, written));
  }

  #done(chunk: Uint8Array, error: NodeJS.ErrnoException | null, written: number): void {
    if (error?.code === 'EAGAIN') {
      // The descriptor is somebody else's too and was made non-blocking by them.
      setTimeout(() => {
        this.#busy = false;
        this.#next();
      }, RETRY_MS);
      return;
    }
    this.#busy = false;
    if (error !== null) {
      this.#failed = true;
      this.#queue = [];
      this.#queued = 0;
      this.#onError(error);
    } else {
      this.#queued -= written;
      // Chunks that came meanwhile stand behind this one.
      if (written < chunk.length) this.#queue[0] = chunk.subarray(written);
      else this.#queue.shift();
    }
    if (this.#queued < HIGH_WATER / 2) for (const callback of this.#waiters.splice(0)) callback();
    this.#next();
  }
}

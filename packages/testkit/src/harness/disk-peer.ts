import {
  type BlockBackend,
  type BlockBackends,
  BlockError,
  type BlockErrorAction,
  type BlockWriteRequest,
} from '@sterna/core';

/** One request that reached the disk. */
export interface DiskRequest {
  readonly kind: 'read' | 'write' | 'writeZeroes' | 'discard' | 'flush' | 'truncate';
  readonly offset: number;
  readonly length: number;
}

/**
 * A disk in memory, in the test's hands: it can make requests wait and fail, and remembers what was asked. A request ends
 * between slices of the guest, after {@link DiskPeer.settled}.
 */
export class DiskPeer implements BlockBackend, BlockBackends {
  readonly name = 'disk';
  readOnly = false;
  /** Content; replaced by `truncate`. */
  bytes: Uint8Array;
  /** What was asked, in order. */
  readonly requests: DiskRequest[] = [];
  /** What the device is told to do about an error. */
  action: BlockErrorAction = 'report';
  inFlight = 0;
  #held = false;
  #failures: string[] = [];
  #passes = 0;
  #turns: (() => void)[] = [];
  #idle: (() => void)[] = [];
  #onResize: (() => void)[] = [];

  /** @param size - Bytes. */
  constructor(size: number) {
    this.bytes = new Uint8Array(size);
  }

  /** The disk itself, whatever its name. */
  attach(): BlockBackend {
    return this;
  }

  detach(): void {}

  get length(): number {
    return this.bytes.length;
  }

  /** Requests wait from now on. */
  hold(): void {
    this.#held = true;
  }

  /** Requests go on, those that wait in their order. */
  release(): void {
    this.#held = false;
    const turns = this.#turns;
    this.#turns = [];
    for (const turn of turns) turn();
  }

  /** Lets a request fail with a POSIX error name, after `passes` more that succeed. */
  failNext(errno: string, passes = 0): void {
    this.#failures.push(errno);
    this.#passes = passes;
  }

  /** Resolves when no request is under way, except those that are held. */
  async settled(): Promise<void> {
    // A request that ends may lead to the next, in a later microtask.
    for (let calm = 0; calm < 3; calm++) {
      while (this.inFlight > this.#turns.length) {
        await new Promise<void>((resolve) => this.#idle.push(resolve));
        calm = 0;
      }
      await Promise.resolve();
    }
  }

  errorAction(): BlockErrorAction {
    return this.action;
  }

  onResize(callback: () => void): void {
    this.#onResize.push(callback);
  }

  async read(offset: number, into: Uint8Array): Promise<void> {
    await this.#request({ kind: 'read', offset, length: into.length }, () =>
      into.set(this.bytes.subarray(offset, offset + into.length)),
    );
  }

  async write(offset: number, bytes: Uint8Array, _request?: BlockWriteRequest): Promise<void> {
    await this.#request({ kind: 'write', offset, length: bytes.length }, () => this.bytes.set(bytes, offset));
  }

  async writeZeroes(offset: number, length: number): Promise<void> {
    await this.#request({ kind: 'writeZeroes', offset, length }, () => this.bytes.fill(0, offset, offset + length));
  }

  async discard(offset: number, length: number): Promise<void> {
    await this.#request({ kind: 'discard', offset, length }, () => this.bytes.fill(0, offset, offset + length));
  }

  async flush(): Promise<void> {
    await this.#request({ kind: 'flush', offset: 0, length: 0 }, () => {});
  }

  async truncate(length: number): Promise<void> {
    await this.#request({ kind: 'truncate', offset: 0, length: 0 }, () => {
      const bytes = new Uint8Array(length);
      bytes.set(this.bytes.subarray(0, length));
      this.bytes = bytes;
      for (const callback of this.#onResize) callback();
    });
  }

  async #request(request: DiskRequest, serve: () => void): Promise<void> {
    this.requests.push(request);
    this.inFlight++;
    try {
      // Always a later turn: a device must not count on its request having ended when it has made it.
      await (this.#held ? new Promise<void>((resolve) => this.#turns.push(resolve)) : Promise.resolve());
      this.#check(request);
      serve();
    } finally {
      this.inFlight--;
      for (const resolve of this.#idle.splice(0)) resolve();
    }
  }

  #check({ kind, offset, length }: DiskRequest): void {
    if (this.#failures.length > 0 && this.#passes-- <= 0) {
      this.#passes = 0;
      const errno = this.#failures.shift()!;
      throw new BlockError(errno, `${kind} of ${length} bytes at ${offset} fails as the test wanted`);
    }
    if (this.readOnly && kind !== 'read' && kind !== 'flush') throw new BlockError('EPERM', `the disk is read-only`);
    if (offset + length > this.bytes.length)
      throw new BlockError('EIO', `${kind} of ${length} bytes at ${offset}: the disk has ${this.bytes.length} bytes`);
  }
}

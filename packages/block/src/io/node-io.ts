import {
  type BlockDriver,
  BlockError,
  type BlockRequest,
  type BlockWriteRequest,
  type BlockZeroRequest,
  isNotSupported,
  MAX_BLOCK_REQUEST,
} from '@sterna/core';
import { RequestTracker, throwIfAborted } from './request-tracker.ts';
import { isZero, ZERO_CHUNK, ZEROES } from './zeroes.ts';

/** What the requests of a node depend on. */
export interface NodeIoTarget {
  readonly nodeName: string;
  readonly driver: BlockDriver;
  readonly detectZeroes: 'off' | 'on' | 'unmap';
  /** `discard=unmap`; otherwise discards do nothing and zeroes stay allocated. */
  readonly unmap: boolean;
  /** A user of the node may change its length, so a write may go past the end. */
  readonly mayGrow: boolean;
  /** The length has changed. */
  resized(): void;
}

/**
 * Brings requests into the form that a driver serves: inside the node, aligned, not too long. What is not aligned is
 * read, changed and written, alone on its range.
 */
export class NodeIo {
  readonly tracker: RequestTracker = new RequestTracker();
  /** Counts what changed the content, so that a flush knows whether there is anything to do. */
  writes = 0;
  readonly #target: NodeIoTarget;

  constructor(target: NodeIoTarget) {
    this.#target = target;
  }

  /** Offsets and lengths that the driver takes as they are. */
  get alignment(): number {
    return this.#target.driver.requestAlignment ?? 1;
  }

  read(offset: number, into: Uint8Array, request: BlockRequest): Promise<void> {
    const { length } = into;
    this.#check(offset, length, this.#target.driver.length);
    return this.#run(offset, length, false, request, () =>
      this.#parts(offset, length, async (at, from, size) => {
        const part = into.subarray(from, from + size);
        if (this.#isAligned(at, size)) return this.#readAligned(at, part, request);
        const block = new Uint8Array(this.alignment);
        const start = at - (at % block.length);
        await this.#readAligned(start, block, request);
        part.set(block.subarray(at - start, at - start + size));
      }),
    );
  }

  write(offset: number, bytes: Uint8Array, request: BlockWriteRequest): Promise<void> {
    const { length } = bytes;
    const { detectZeroes, unmap, mayGrow, driver } = this.#target;
    this.#check(offset, length, mayGrow ? Number.MAX_SAFE_INTEGER : driver.length);
    if (detectZeroes !== 'off' && isZero(bytes))
      return this.writeZeroes(offset, length, { ...request, mayUnmap: detectZeroes === 'unmap' && unmap });
    return this.#run(offset, length, !this.#isAligned(offset, length), request, async () => {
      driver.debugEvent?.('pwritev');
      await this.#writeParts(offset, bytes, request);
      driver.debugEvent?.('pwritev_done');
    });
  }

  writeZeroes(offset: number, length: number, request: BlockZeroRequest): Promise<void> {
    const { driver, unmap, mayGrow } = this.#target;
    this.#checkRange(offset, length, mayGrow ? Number.MAX_SAFE_INTEGER : driver.length);
    return this.#run(offset, length, !this.#isAligned(offset, length), request, async () => {
      const { start, end } = this.#inner(offset, offset + length);
      if (start >= end) return this.#writeParts(offset, ZEROES.subarray(0, length), request);
      driver.debugEvent?.('pwritev_zero');
      await this.#writeParts(offset, ZEROES.subarray(0, start - offset), request);
      await this.#zeroAligned(start, end, { ...request, mayUnmap: request.mayUnmap === true && unmap });
      await this.#writeParts(end, ZEROES.subarray(0, offset + length - end), request);
    });
  }

  /** Only whole aligned blocks are discarded; the request is advice. */
  async discard(offset: number, length: number, request: BlockRequest): Promise<void> {
    const { driver, unmap } = this.#target;
    this.#checkRange(offset, length, driver.length);
    const { start, end } = this.#inner(offset, offset + length);
    if (!unmap || driver.discard === undefined || start >= end) return;
    await this.#run(start, end - start, false, request, async () => {
      this.writes++;
      try {
        await driver.discard!(start, end - start, request);
      } catch (error) {
        if (!isNotSupported(error)) throw error;
      }
    });
  }

  truncate(length: number, request: BlockRequest): Promise<void> {
    const { driver, nodeName } = this.#target;
    if (!Number.isSafeInteger(length) || length < 0)
      throw new BlockError('EINVAL', `node '${nodeName}': ${length} is no length`);
    const { truncate } = driver;
    if (truncate === undefined)
      throw new BlockError('ENOTSUP', `node '${nodeName}' cannot change its length`, {
        code: 'STERNA_ERR_UNSUPPORTED',
      });
    // What is beyond the shorter end must not be touched meanwhile.
    const from = Math.min(length, driver.length);
    return this.#run(from, Number.MAX_SAFE_INTEGER - from, true, request, async () => {
      this.writes++;
      await truncate.call(driver, length, request);
      this.#target.resized();
    });
  }

  #run(
    offset: number,
    length: number,
    serialising: boolean,
    request: BlockRequest,
    action: () => Promise<void>,
  ): Promise<void> {
    const { start, end } = serialising ? this.#outer(offset, offset + length) : { start: offset, end: offset + length };
    return this.tracker.run({ offset: start, length: end - start, serialising }, request.signal, action);
  }

  #check(offset: number, length: number, limit: number): void {
    this.#checkRange(offset, length, limit);
    if (length > MAX_BLOCK_REQUEST)
      throw new BlockError('EINVAL', `node '${this.#target.nodeName}': a request of ${length} bytes is too long`);
  }

  #checkRange(offset: number, length: number, limit: number): void {
    if (Number.isSafeInteger(offset) && offset >= 0 && length >= 0 && offset + length <= limit) return;
    throw new BlockError(
      'EIO',
      `node '${this.#target.nodeName}': ${length} bytes at ${offset} are not inside its ${this.#target.driver.length} bytes`,
    );
  }

  #isAligned(offset: number, length: number): boolean {
    return offset % this.alignment === 0 && length % this.alignment === 0;
  }

  #outer(offset: number, end: number): { start: number; end: number } {
    const align = this.alignment;
    return { start: offset - (offset % align), end: Math.ceil(end / align) * align };
  }

  #inner(offset: number, end: number): { start: number; end: number } {
    const align = this.alignment;
    return { start: Math.ceil(offset / align) * align, end: end - (end % align) };
  }

  /** Splits a range into a part of a block at its head, whole blocks, and a part of one at its tail. */
  async #parts(
    offset: number,
    length: number,
    serve: (at: number, from: number, size: number) => Promise<void>,
  ): Promise<void> {
    const end = offset + length;
    const inner = this.#inner(offset, end);
    if (inner.start > inner.end) return serve(offset, 0, length);
    if (inner.start > offset) await serve(offset, 0, inner.start - offset);
    if (inner.end > inner.start) await serve(inner.start, inner.start - offset, inner.end - inner.start);
    if (end > inner.end) await serve(inner.end, inner.end - offset, end - inner.end);
  }

  /** Reads whole blocks; what lies past the end of the node reads as zeroes. */
  async #readAligned(offset: number, into: Uint8Array, request: BlockRequest): Promise<void> {
    const { driver } = this.#target;
    const there = Math.max(0, Math.min(into.length, driver.length - offset));
    if (there < into.length) into.fill(0, there);
    await this.#pieces(offset, there, request, (at, from, size) =>
      driver.read(at, into.subarray(from, from + size), request),
    );
  }

  async #writeParts(offset: number, bytes: Uint8Array, request: BlockWriteRequest): Promise<void> {
    const { driver } = this.#target;
    await this.#parts(offset, bytes.length, async (at, from, size) => {
      const part = bytes.subarray(from, from + size);
      if (this.#isAligned(at, size)) return this.#writeAligned(at, part, request);
      const block = new Uint8Array(this.alignment);
      const start = at - (at % block.length);
      const name = at === offset ? 'head' : 'tail';
      driver.debugEvent?.(`pwritev_rmw_${name}`);
      await this.#readAligned(start, block, request);
      driver.debugEvent?.(`pwritev_rmw_after_${name}`);
      block.set(part, at - start);
      // The last block of a node may be cut short.
      const size2 = Math.max(at - start + size, Math.min(block.length, driver.length - start));
      await this.#writeAligned(start, block.subarray(0, size2), request);
    });
  }

  async #writeAligned(offset: number, bytes: Uint8Array, request: BlockWriteRequest): Promise<void> {
    const { driver, nodeName } = this.#target;
    const { write } = driver;
    if (write === undefined) throw new BlockError('EACCES', `node '${nodeName}' cannot be written to`);
    const before = driver.length;
    // Counted before, so that a flush that begins meanwhile does not count as covering it.
    this.writes++;
    await this.#pieces(offset, bytes.length, request, (at, from, size) =>
      write.call(driver, at, bytes.subarray(from, from + size), request),
    );
    this.writes++;
    if (driver.length !== before) this.#target.resized();
  }

  async #zeroAligned(start: number, end: number, request: BlockZeroRequest): Promise<void> {
    const { driver } = this.#target;
    if (driver.writeZeroes !== undefined) {
      try {
        this.writes++;
        await driver.writeZeroes(start, end - start, request);
        this.writes++;
        return;
      } catch (error) {
        if (!isNotSupported(error) || request.noFallback === true) throw error;
      }
    } else if (request.noFallback === true) {
      throw new BlockError('ENOTSUP', `node '${this.#target.nodeName}' cannot zero a range at once`);
    }
    for (let at = start; at < end; at += ZERO_CHUNK)
      await this.#writeAligned(at, ZEROES.subarray(0, Math.min(ZERO_CHUNK, end - at)), request);
  }

  async #pieces(
    offset: number,
    length: number,
    { signal }: BlockRequest,
    serve: (at: number, from: number, size: number) => Promise<void>,
  ): Promise<void> {
    const most = this.#target.driver.maxTransfer ?? MAX_BLOCK_REQUEST;
    for (let from = 0; from < length; from += most) {
      throwIfAborted(signal);
      await serve(offset + from, from, Math.min(most, length - from));
    }
  }
}

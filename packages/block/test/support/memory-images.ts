import type { HostImage, HostImageLocks, HostImages } from '@sterna/block';
import { SternaError } from '@sterna/core';

/** A file in memory that several can open, with locks as the kernel has them. */
export class MemoryFile {
  bytes: Uint8Array;
  /** Holders of each locked byte. */
  readonly locks = new Map<number, Set<object>>();
  syncs = 0;
  opened = 0;
  /** Refuses to be opened for writing. */
  readOnly = false;
  /** Set by tests: what the next operation fails with. */
  failure: string | undefined;

  constructor(size: number) {
    this.bytes = new Uint8Array(size);
  }
}

/** Image files in memory. */
export class MemoryImages implements HostImages {
  readonly files = new Map<string, MemoryFile>();

  /** Makes a file. */
  file(path: string, size: number): MemoryFile {
    const file = new MemoryFile(size);
    this.files.set(path, file);
    return file;
  }

  async open(path: string, writable: boolean): Promise<HostImage> {
    const file = this.files.get(path);
    if (file === undefined) throw Object.assign(new Error(`no file ${path}`), { code: 'ENOENT' });
    if (writable && file.readOnly) throw Object.assign(new Error('permission denied'), { code: 'EACCES' });
    file.opened++;
    return new MemoryImage(file);
  }
}

class MemoryImage implements HostImage {
  readonly #file: MemoryFile;
  readonly locks: HostImageLocks;

  constructor(file: MemoryFile) {
    this.#file = file;
    const holders = (byte: number) => file.locks.get(byte) ?? file.locks.set(byte, new Set()).get(byte)!;
    this.locks = {
      share: (byte) => {
        if (byte === -1) throw new SternaError('STERNA_ERR_BLOCK_LOCKED', 'never');
        holders(byte).add(this);
      },
      release: (byte) => void holders(byte).delete(this),
      isTaken: (byte) => [...holders(byte)].some((holder) => holder !== this),
    };
  }

  #check(): void {
    const { failure } = this.#file;
    this.#file.failure = undefined;
    if (failure !== undefined) throw Object.assign(new Error(`made to fail with ${failure}`), { code: failure });
  }
  size(): number {
    return this.#file.bytes.length;
  }
  allocated(): number {
    return this.#file.bytes.length;
  }
  async read(position: number, into: Uint8Array): Promise<number> {
    this.#check();
    const part = this.#file.bytes.subarray(position, position + into.length);
    into.set(part);
    return part.length;
  }
  async write(position: number, bytes: Uint8Array): Promise<number> {
    this.#check();
    // Half of it, as hosts may.
    const count = Math.max(1, bytes.length >> 1);
    this.#grow(position + count);
    this.#file.bytes.set(bytes.subarray(0, count), position);
    return count;
  }
  async sync(): Promise<void> {
    this.#check();
    this.#file.syncs++;
  }
  async truncate(length: number): Promise<void> {
    const next = new Uint8Array(length);
    next.set(this.#file.bytes.subarray(0, length));
    this.#file.bytes = next;
  }
  async zeroRange(position: number, length: number, unmap: boolean): Promise<boolean> {
    if (!unmap) this.#grow(position + length);
    this.#file.bytes.fill(0, position, position + length);
    return true;
  }
  async close(): Promise<void> {
    this.#file.opened--;
    for (const holders of this.#file.locks.values()) holders.delete(this);
  }

  #grow(size: number): void {
    if (size <= this.#file.bytes.length) return;
    const next = new Uint8Array(size);
    next.set(this.#file.bytes);
    this.#file.bytes = next;
  }
}

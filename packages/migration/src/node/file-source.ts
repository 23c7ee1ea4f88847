import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { gunzipSync } from 'node:zlib';
import { SternaError } from '@sterna/core';
import { type ByteSource, MemorySource } from '../inspect/source.ts';

/** Bytes that are read around what is asked for. */
const WINDOW = 2 ** 20;
/** Most bytes that a compressed stream may have when it is unpacked. */
const MOST_UNPACKED = 2 ** 30;

/** A file as a source: a window of it is in memory. */
export class FileSource implements ByteSource, Disposable {
  readonly size: number;
  readonly #path: string;
  readonly #fd: number;
  #window = new Uint8Array(WINDOW);
  #from = 0;
  #to = 0;

  /** @throws SternaError `STERNA_ERR_HOST_IO` when it cannot be opened */
  constructor(path: string) {
    this.#path = path;
    try {
      this.#fd = openSync(path, 'r');
      this.size = fstatSync(this.#fd).size;
    } catch (cause) {
      throw unreadable(path, cause);
    }
  }

  read(offset: number, length: number): Uint8Array {
    const end = Math.min(offset + length, this.size);
    if (offset >= end) return new Uint8Array();
    if (offset < this.#from || end > this.#to) this.#load(offset, end);
    return this.#window.subarray(offset - this.#from, end - this.#from);
  }

  #load(offset: number, end: number): void {
    if (end - offset > this.#window.length) this.#window = new Uint8Array(end - offset);
    this.#from = offset;
    this.#to = offset;
    const most = Math.min(this.#window.length, this.size - offset);
    try {
      while (this.#to - offset < most) {
        const got = readSync(this.#fd, this.#window, this.#to - offset, most - (this.#to - offset), this.#to);
        if (got === 0) throw new Error('it has become shorter');
        this.#to += got;
      }
    } catch (cause) {
      throw unreadable(this.#path, cause);
    }
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }
}

/** A stream of any size; one that is compressed by gzip is unpacked. */
export function openStreamFile(path: string): ByteSource & Disposable {
  const file = new FileSource(path);
  const head = file.read(0, 2);
  if (head[0] !== 0x1f || head[1] !== 0x8b) return file;
  try {
    const unpacked = gunzipSync(file.read(0, file.size), { maxOutputLength: MOST_UNPACKED });
    return Object.assign(new MemorySource(unpacked), { [Symbol.dispose]: () => {} });
  } catch (cause) {
    throw unreadable(path, cause);
  } finally {
    file[Symbol.dispose]();
  }
}

function unreadable(path: string, cause: unknown): SternaError {
  return new SternaError('STERNA_ERR_HOST_IO', `cannot read ${path}: ${(cause as Error).message}`, { cause });
}

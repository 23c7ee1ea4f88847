import { closeSync, writeSync } from 'node:fs';
import type { FileTarget } from '../mapped-ram/target.ts';
import type { MethodContext } from '../multifd/page-method.ts';
import type { ThreadTarget } from './channel-thread-messages.ts';
import { FileMethod } from './file-method.ts';

/** A file, written at once: this thread has nothing better to do meanwhile. */
export class ThreadFile {
  readonly bidirectional = false;
  readonly #name: string;
  readonly #fd: number;
  /** Where pages go that have places: the same file, perhaps opened for direct access. */
  readonly #pagesFd: number;
  #position: number | undefined;
  #error: Error | undefined;
  #closed = false;

  constructor(name: string, { fd, position, pagesFd = fd }: Extract<ThreadTarget, { kind: 'file' }>) {
    this.#name = name;
    this.#fd = fd;
    this.#pagesFd = pagesFd;
    this.#position = position;
  }

  get file(): this {
    return this;
  }

  /** Goes on at another offset. */
  seek(offset: number): void {
    this.#position = offset;
  }

  /** Writes pages of this file. */
  pageMethod(context: MethodContext, target: FileTarget): FileMethod {
    return new FileMethod(context, this.#name, this.#pagesFd, target);
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (this.#error !== undefined) throw this.#error;
    try {
      for (let done = 0; done < bytes.length; ) {
        const written = writeSync(this.#fd, bytes, done, bytes.length - done, this.#position ?? null);
        if (this.#position !== undefined) this.#position += written;
        done += written;
      }
    } catch (error) {
      this.#error = new Error(`${this.#name}: ${error instanceof Error ? error.message : error}`);
      throw this.#error;
    }
  }
  async read(): Promise<undefined> {
    throw new Error(`${this.#name} cannot be read`);
  }
  async end(): Promise<void> {
    if (this.#error !== undefined) throw this.#error;
  }
  abort(reason: Error): void {
    this.#error ??= reason;
    void this.close();
  }
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const fd of new Set([this.#fd, this.#pagesFd])) closeSync(fd);
  }
}

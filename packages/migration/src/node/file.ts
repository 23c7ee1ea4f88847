import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { TransportError } from '../errors.ts';
import type { MigrationChannel } from '../transport/channel.ts';

/** Bytes read at once. */
const READ_SIZE = 256 * 1024;

/** A stream in a file, from an offset on. What is before the offset belongs to somebody else and stays. */
export class FileChannel implements MigrationChannel {
  readonly name: string;
  readonly bidirectional = false;
  readonly #file: FileHandle;
  readonly #writing: Set<Promise<void>> = new Set();
  #position: number;
  #error: Error | undefined;
  #closed = false;
  #buffer: Uint8Array | undefined;

  constructor(name: string, file: FileHandle, offset: number) {
    this.name = name;
    this.#file = file;
    this.#position = offset;
  }

  /** Opens for writing: the file is made if needed, readable for its owner only, and cut at the offset. */
  static async create(filename: string, offset: number): Promise<FileChannel> {
    try {
      const file = await open(filename, constants.O_CREAT | constants.O_WRONLY, 0o600);
      const { size } = await file.stat();
      if (offset > size || size > 0) await file.truncate(offset);
      return new FileChannel(`file:${filename}`, file, offset);
    } catch (error) {
      throw failed(`cannot write ${filename}`, error);
    }
  }

  /** Opens for reading. */
  static async open(filename: string, offset: number): Promise<FileChannel> {
    try {
      return new FileChannel(`file:${filename}`, await open(filename, 'r'), offset);
    } catch (error) {
      throw failed(`cannot read ${filename}`, error);
    }
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (this.#error) throw this.#error;
    const position = this.#position;
    this.#position += bytes.length;
    const writing = this.#writeAll(bytes, position);
    this.#writing.add(writing);
    try {
      await writing;
    } catch (error) {
      this.#error ??= failed(this.name, error);
      throw this.#error;
    } finally {
      this.#writing.delete(writing);
    }
  }

  async #writeAll(bytes: Uint8Array, position: number): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      const { bytesWritten } = await this.#file.write(bytes, done, bytes.length - done, position + done);
      done += bytesWritten;
    }
  }

  async read(): Promise<Uint8Array | undefined> {
    if (this.#error) throw this.#error;
    this.#buffer ??= new Uint8Array(READ_SIZE);
    const { bytesRead } = await this.#file.read(this.#buffer, 0, READ_SIZE, this.#position).catch((error) => {
      throw failed(this.name, error);
    });
    if (this.#error) throw this.#error;
    this.#position += bytesRead;
    return bytesRead === 0 ? undefined : this.#buffer.subarray(0, bytesRead);
  }

  async end(): Promise<void> {
    await Promise.all(this.#writing);
    if (this.#error) throw this.#error;
  }

  abort(reason: Error): void {
    this.#error ??= reason;
    void this.close();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    // A write or read under way ends first; the handle is closed behind it.
    await Promise.allSettled(this.#writing);
    await this.#file.close().catch(() => {});
  }
}

function failed(what: string, error: unknown): TransportError {
  return new TransportError(`${what}: ${error instanceof Error ? error.message : error}`, { cause: error });
}

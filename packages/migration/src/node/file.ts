import fs, { constants } from 'node:fs';
import { promisify } from 'node:util';
import { TransportError } from '../errors.ts';
import type { MigrationChannel } from '../transport/channel.ts';

// Over descriptors, not file handles: a descriptor may have been passed to us open.
const open = promisify(fs.open);
const stat = promisify(fs.fstat);
const cut = promisify(fs.ftruncate);
const write = promisify(fs.write);
const read = promisify(fs.read);
const close = promisify(fs.close);

/** Bytes read at once. */
const READ_SIZE = 256 * 1024;

/**
 * Opens a file to be written from an offset on: it is made if needed, readable for its owner only, and cut there.
 *
 * @throws TransportError
 */
export async function openForWriting(filename: string, offset: number): Promise<number> {
  try {
    return await cutAt(filename, await open(filename, constants.O_CREAT | constants.O_WRONLY, 0o600), offset);
  } catch (error) {
    throw failed(`cannot write ${filename}`, error);
  }
}

/** Cuts a file that is open for writing; on failure its descriptor is closed. @throws TransportError */
export async function cutAt(filename: string, fd: number, offset: number): Promise<number> {
  try {
    const { size } = await stat(fd);
    if (size !== offset && (offset > 0 || size > 0)) await cut(fd, offset);
    return fd;
  } catch (error) {
    await close(fd);
    throw failed(`cannot cut ${filename} at ${offset}`, error);
  }
}

/** A stream in a file, from an offset on. What is before the offset belongs to somebody else and stays. */
export class FileChannel implements MigrationChannel {
  readonly name: string;
  readonly bidirectional = false;
  readonly #fd: number;
  readonly #writing: Set<Promise<void>> = new Set();
  #position: number;
  #error: Error | undefined;
  #closed = false;
  #buffer: Uint8Array | undefined;

  /** @param fd - Open descriptor; closed with the channel. */
  constructor(name: string, fd: number, offset: number) {
    this.name = name;
    this.#fd = fd;
    this.#position = offset;
  }

  /** Opens for writing, as {@link openForWriting} does. */
  static async create(filename: string, offset: number): Promise<FileChannel> {
    return new FileChannel(`file:${filename}`, await openForWriting(filename, offset), offset);
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
      const { bytesWritten } = await write(this.#fd, bytes, done, bytes.length - done, position + done);
      done += bytesWritten;
    }
  }

  async read(): Promise<Uint8Array | undefined> {
    if (this.#error) throw this.#error;
    this.#buffer ??= new Uint8Array(READ_SIZE);
    const { bytesRead } = await read(this.#fd, this.#buffer, 0, READ_SIZE, this.#position).catch((error) => {
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
    await close(this.#fd).catch(() => {});
  }
}

function failed(what: string, error: unknown): TransportError {
  return new TransportError(`${what}: ${error instanceof Error ? error.message : error}`, { cause: error });
}

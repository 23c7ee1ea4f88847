import fs, { constants } from 'node:fs';
import { promisify } from 'node:util';
import { TransportError } from '../errors.ts';
import type { MigrationChannel } from '../transport/channel.ts';

// Over descriptors, not file handles: a descriptor may have been passed to us open.
const open = promisify(fs.open);
const stat = promisify(fs.fstat);
const cut = promisify(fs.ftruncate);
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

/** Reads a stream from a file, from an offset on; what is before belongs to somebody else. Writing is a thread's business. */
export class FileReader implements MigrationChannel {
  readonly name: string;
  readonly bidirectional = false;
  readonly #fd: number;
  readonly #buffer: Uint8Array = new Uint8Array(READ_SIZE);
  #position: number;
  #reading: Promise<unknown> | undefined;
  #error: Error | undefined;
  #closed = false;

  /** @param fd - Open descriptor; closed with the channel. */
  constructor(name: string, fd: number, offset: number) {
    this.name = name;
    this.#fd = fd;
    this.#position = offset;
  }

  /** Opens a file. @throws TransportError */
  static async open(filename: string, offset: number): Promise<FileReader> {
    try {
      return new FileReader(`file:${filename}`, await open(filename, 'r'), offset);
    } catch (error) {
      throw failed(`cannot read ${filename}`, error);
    }
  }

  async write(): Promise<void> {
    throw new TransportError(`${this.name} is read, not written`);
  }

  async read(): Promise<Uint8Array | undefined> {
    if (this.#error) throw this.#error;
    const reading = read(this.#fd, this.#buffer, 0, READ_SIZE, this.#position);
    this.#reading = reading;
    const { bytesRead } = await reading.catch((error) => {
      throw failed(this.name, error);
    });
    if (this.#error) throw this.#error;
    this.#position += bytesRead;
    return bytesRead === 0 ? undefined : this.#buffer.subarray(0, bytesRead);
  }

  async end(): Promise<void> {}

  abort(reason: Error): void {
    this.#error ??= reason;
    void this.close();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    // A read under way ends first: the number of the descriptor may be another file's afterwards.
    await this.#reading?.catch(() => {});
    await close(this.#fd).catch(() => {});
  }
}

function failed(what: string, error: unknown): TransportError {
  return new TransportError(`${what}: ${error instanceof Error ? error.message : error}`, { cause: error });
}

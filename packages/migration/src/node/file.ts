import fs, { constants } from 'node:fs';
import { promisify } from 'node:util';
import { TransportError } from '../errors.ts';
import type { FileInput } from '../mapped-ram/file.ts';
import type { MigrationChannel } from '../transport/channel.ts';
import { wantLargePages } from './large-pages.ts';

// Over descriptors, not file handles: a descriptor may have been passed to us open.
const open = promisify(fs.open);
const stat = promisify(fs.fstat);
const cut = promisify(fs.ftruncate);
const read = promisify(fs.read);
const close = promisify(fs.close);

/** Bytes read at once. */
const READ_SIZE = 256 * 1024;

/** How a file is opened beside for reading or writing. */
export interface OpenOptions {
  /** Reads and writes bypass the host's cache. They must be aligned; the places of pages are. */
  readonly direct?: boolean | undefined;
}

/** Opens a file to be written: it is made if needed, readable for its owner only. @throws TransportError */
export async function openForWriting(filename: string, { direct = false }: OpenOptions = {}): Promise<number> {
  return openFile(filename, constants.O_CREAT | constants.O_WRONLY, direct);
}

/** Opens a file to be read. @throws TransportError */
export async function openForReading(filename: string, { direct = false }: OpenOptions = {}): Promise<number> {
  return openFile(filename, constants.O_RDONLY, direct);
}

async function openFile(filename: string, flags: number, direct: boolean): Promise<number> {
  if (direct && constants.O_DIRECT === undefined)
    throw new TransportError('this host has no direct access to files; unset the migration parameter direct-io');
  try {
    return await open(filename, direct ? flags | constants.O_DIRECT : flags, 0o600);
  } catch (error) {
    const verb = flags === constants.O_RDONLY ? 'read' : 'write';
    if (direct && (error as NodeJS.ErrnoException).code === 'EINVAL')
      throw new TransportError(
        `cannot ${verb} ${filename}: its file system has no direct access (O_DIRECT); unset the migration parameter direct-io`,
        { cause: error },
      );
    throw failed(`cannot ${verb} ${filename}`, error);
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

/** The descriptor that is being opened; the one that is open already is closed when that fails. */
export async function orClose(fd: number, opening: Promise<number>): Promise<number> {
  try {
    return await opening;
  } catch (error) {
    await close(fd);
    throw error;
  }
}

/** Reads a stream from a file, from an offset on; what is before belongs to somebody else. Writing is a thread's business. */
export class FileReader implements MigrationChannel, FileInput {
  readonly name: string;
  readonly bidirectional = false;
  readonly start: number;
  readonly #fd: number;
  /** For pages that have places: the same file, perhaps opened for direct access. */
  readonly #pagesFd: number;
  readonly #buffer: Uint8Array = new Uint8Array(READ_SIZE);
  #position: number;
  readonly #reading = new Set<Promise<unknown>>();
  #error: Error | undefined;
  #closed = false;

  /** @param fd - Open descriptor; closed with the channel, as is `pagesFd`. */
  constructor(name: string, fd: number, offset: number, pagesFd: number = fd) {
    this.name = name;
    this.#fd = fd;
    this.#pagesFd = pagesFd;
    this.start = offset;
    this.#position = offset;
  }

  get fileInput(): FileInput {
    return this;
  }

  async write(): Promise<void> {
    throw new TransportError(`${this.name} is read, not written`);
  }

  async read(): Promise<Uint8Array | undefined> {
    const bytesRead = await this.#read(this.#fd, this.#buffer, this.#position);
    this.#position += bytesRead;
    return bytesRead === 0 ? undefined : this.#buffer.subarray(0, bytesRead);
  }

  seek(offset: number): void {
    this.#position = offset;
  }

  async readAt(target: Uint8Array, offset: number): Promise<number> {
    return this.#readAll(this.#fd, target, offset);
  }

  prepare(memory: Uint8Array): void {
    wantLargePages(memory);
  }

  async readPages(target: Uint8Array, offset: number): Promise<number> {
    return this.#readAll(this.#pagesFd, target, offset);
  }

  async #readAll(fd: number, target: Uint8Array, offset: number): Promise<number> {
    for (let done = 0; ; ) {
      const part = await this.#read(fd, target.subarray(done), offset + done);
      done += part;
      if (part === 0 || done === target.length) return done;
    }
  }

  async #read(fd: number, target: Uint8Array, offset: number): Promise<number> {
    if (this.#error) throw this.#error;
    const reading = read(fd, target, 0, target.length, offset);
    this.#reading.add(reading);
    try {
      const { bytesRead } = await reading;
      if (this.#error) throw this.#error;
      return bytesRead;
    } catch (error) {
      throw this.#error ?? failed(this.name, error);
    } finally {
      this.#reading.delete(reading);
    }
  }

  async end(): Promise<void> {}

  abort(reason: Error): void {
    this.#error ??= reason;
    void this.close();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    // Reads under way end first: the number of the descriptor may be another file's afterwards.
    await Promise.allSettled(this.#reading);
    for (const fd of new Set([this.#fd, this.#pagesFd])) await close(fd).catch(() => {});
  }
}

function failed(what: string, error: unknown): TransportError {
  return new TransportError(`${what}: ${error instanceof Error ? error.message : error}`, { cause: error });
}

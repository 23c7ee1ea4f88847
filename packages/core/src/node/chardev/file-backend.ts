import { closeSync, createReadStream, openSync, type ReadStream } from 'node:fs';
import type { CharBackend, CharFrontend } from '../../chardev/char-backend.ts';
import { InputQueue } from '../../chardev/input-queue.ts';
import { ConfigError } from '../../errors.ts';
import { FdWriter } from './fd-writer.ts';

/** Options of {@link FileBackend}. */
export interface FileOptions {
  readonly path: string;
  /** Keeps what is in the file already. */
  readonly append: boolean;
  /** Where the guest's input comes from; nowhere by default. */
  readonly inputPath?: string;
}

/** Writes what the guest sends to a file. */
export class FileBackend implements CharBackend {
  readonly id: string;
  readonly connected = true;
  readonly #fd: number;
  readonly #writer: FdWriter;
  readonly #input: InputQueue;
  readonly #source: ReadStream | undefined;
  #closed = false;

  /** @throws ConfigError `STERNA_ERR_CHARDEV` when a file cannot be opened. */
  constructor(id: string, options: FileOptions) {
    this.id = id;
    this.#fd = open(id, options.path, options.append ? 'a' : 'w');
    this.#writer = new FdWriter(this.#fd, (error) => {
      process.stderr.write(`sterna: chardev ${id}: writing ${options.path}: ${error.message}\n`);
    });
    this.#input = new InputQueue(() => this.#source?.resume());
    if (options.inputPath !== undefined) {
      this.#source = createReadStream(options.inputPath, { fd: open(id, options.inputPath, 'r') });
      this.#source.pause();
      this.#source.on('data', (chunk) => {
        if (!this.#input.push(chunk as Buffer)) this.#source?.pause();
      });
      this.#source.on('error', () => {});
    }
  }

  attach(frontend: CharFrontend | undefined): void {
    this.#input.attach(frontend);
    frontend?.event?.('opened');
    if (frontend !== undefined) this.#source?.resume();
  }

  write(bytes: Uint8Array): number {
    return this.#writer.write(bytes);
  }

  onWritable(callback: () => void): void {
    this.#writer.onWritable(callback);
  }

  acceptInput(): void {
    this.#input.deliver();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await this.#writer.drained();
    this.#source?.destroy();
    closeSync(this.#fd);
  }
}

function open(id: string, path: string, flags: string): number {
  try {
    return openSync(path, flags);
  } catch (cause) {
    throw new ConfigError('STERNA_ERR_CHARDEV', `chardev ${id}: cannot open ${path}: ${(cause as Error).message}`, {
      cause,
    });
  }
}

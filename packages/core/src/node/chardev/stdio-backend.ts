import process from 'node:process';
import type { ReadStream } from 'node:tty';
import type { CharBackend, CharFrontend } from '../../chardev/char-backend.ts';
import { InputQueue } from '../../chardev/input-queue.ts';
import { openOutput } from './output.ts';

/** Terminal keys that mean a signal when the guest does not want them. */
const SIGNAL_KEYS: Readonly<Record<number, NodeJS.Signals>> = { 3: 'SIGINT', 26: 'SIGTSTP', 28: 'SIGQUIT' };

/** Options of {@link StdioBackend}. */
export interface StdioOptions {
  /** Ctrl-C, Ctrl-Z and Ctrl-\ of a terminal are signals for the emulator instead of bytes for the guest. */
  readonly signal: boolean;
}

/**
 * The process's own stdin and stdout. A terminal is put into raw mode and put back at exit, also across a stop and
 * continue by job control. The end of stdin ends the input and nothing else.
 */
export class StdioBackend implements CharBackend {
  readonly id: string;
  readonly connected = true;
  readonly #signal: boolean;
  readonly #input: InputQueue;
  readonly #writer = openOutput(1);
  readonly #onData = (bytes: Buffer) => this.#receive(bytes);
  readonly #onEnd = () => this.#input.frontend?.event?.('closed');
  readonly #onExit = () => this.#setRaw(false);
  readonly #onContinue = () => this.#setRaw(true);
  #closed = false;

  constructor(id: string, options: StdioOptions) {
    this.id = id;
    this.#signal = options.signal;
    this.#input = new InputQueue(() => this.#resume());
    this.#setRaw(true);
    process.once('exit', this.#onExit);
    process.on('SIGCONT', this.#onContinue);
    process.stdin.on('data', this.#onData);
    process.stdin.on('end', this.#onEnd);
    // A terminal that went away reads as an error: the same as the end.
    process.stdin.on('error', this.#onEnd);
    process.stdin.pause();
  }

  attach(frontend: CharFrontend | undefined): void {
    this.#input.attach(frontend);
    frontend?.event?.('opened');
    this.#resume();
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
    await Promise.race([this.#writer.drained(), moment()]);
    process.stdin.off('data', this.#onData);
    process.stdin.off('end', this.#onEnd);
    process.stdin.pause();
    process.off('exit', this.#onExit);
    process.off('SIGCONT', this.#onContinue);
    this.#setRaw(false);
  }

  #receive(bytes: Buffer): void {
    let rest = bytes;
    if (this.#signal && process.stdin.isTTY) {
      const at = bytes.findIndex((byte) => byte in SIGNAL_KEYS);
      if (at >= 0) {
        rest = bytes.subarray(0, at);
        this.#raise(SIGNAL_KEYS[bytes[at]!]!);
      }
    }
    if (!this.#input.push(rest)) process.stdin.pause();
  }

  #raise(signal: NodeJS.Signals): void {
    if (signal === 'SIGTSTP') this.#setRaw(false);
    process.kill(process.pid, signal);
  }

  #resume(): void {
    if (!this.#closed && this.#input.frontend !== undefined && this.#input.empty) process.stdin.resume();
  }

  #setRaw(raw: boolean): void {
    const stdin = process.stdin as ReadStream;
    // A destroyed stream (the terminal hung up) has nothing left to restore.
    if (stdin.isTTY && !stdin.destroyed) stdin.setRawMode(raw);
  }
}

/** A reader of stdout that has stopped reading must not keep the process. */
function moment(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 500));
}

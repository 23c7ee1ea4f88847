/** What a thread reads a channel from. Like all that the thread loads, this imports only types from other packages. */
import net from 'node:net';
import type { PacketSource } from '../multifd/packet-reader.ts';

/** A connection for a thread, which is the only one that closes the descriptor. */
export interface InputSetup {
  readonly name: string;
  readonly fd: number;
}

/** A connection that a thread reads. */
export interface ThreadInput extends PacketSource {
  /** Gives the connection up at once; who waits for bytes gets an error. */
  abort(reason: Error): void;
  close(): void;
}

/** Opens the connection; its bytes go into the window. */
export function openInput({ fd }: InputSetup, window: Uint8Array<ArrayBuffer>): ThreadInput {
  return new SocketInput(fd, window);
}

/** A socket that is read into the window without a buffer between. */
class SocketInput implements ThreadInput {
  readonly #socket: net.Socket;
  /** Bytes in the window that nobody has got yet. */
  #arrived = 0;
  /** Whether the window was given away. */
  #given = false;
  #ended = false;
  #error: Error | undefined;
  #wake: () => void = () => {};

  constructor(fd: number, window: Uint8Array<ArrayBuffer>) {
    const callback = (length: number): boolean => {
      this.#arrived = length;
      this.#wake();
      // No more until the window is free again.
      return false;
    };
    const options = { fd, onread: { buffer: window, callback } };
    // Node documents `onread` for sockets that connect; the constructor takes it for every socket.
    this.#socket = new net.Socket(options as net.SocketConstructorOpts);
    this.#socket.on('error', (error) => this.#end(error));
    this.#socket.on('end', () => this.#end());
    this.#socket.on('close', () => this.#end());
    this.#socket.resume();
  }

  async next(): Promise<number> {
    if (this.#given) {
      this.#given = false;
      this.#socket.resume();
    }
    for (;;) {
      if (this.#arrived > 0) {
        const length = this.#arrived;
        this.#arrived = 0;
        this.#given = true;
        return length;
      }
      if (this.#error !== undefined) throw this.#error;
      if (this.#ended) return 0;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  abort(reason: Error): void {
    this.#end(reason);
    this.#socket.destroy();
  }
  close(): void {
    this.#socket.destroy();
  }

  #end(error?: Error): void {
    if (!this.#ended) this.#error ??= error;
    this.#ended = true;
    this.#wake();
  }
}

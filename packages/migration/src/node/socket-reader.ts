import net from 'node:net';

/** As large as what a socket may hold for us. */
const BUFFER_SIZE = 256 * 1024;

/**
 * A connected socket that is read into one buffer again and again. The usual way makes a buffer for every 64 KiB, which at
 * a gigabyte per second keeps the garbage collector busier than the load itself.
 */
export class SocketReader {
  readonly socket: net.Socket;
  /** Called when there is something to take. */
  arrived: () => void = () => {};
  readonly #buffer: Uint8Array;
  /** What was read before this reader came. */
  #before: Uint8Array | undefined;
  #filled = 0;
  #taken = false;

  /**
   * @param accepted - A socket of a server with `pauseOnConnect`, or another reader's; its connection moves to
   *   {@link SocketReader.socket}.
   * @param before - Bytes to answer first.
   * @param size - Most bytes to read at once.
   */
  constructor(accepted: net.Socket, before?: Uint8Array, size: number = BUFFER_SIZE) {
    this.#buffer = new Uint8Array(size);
    this.#before = before;
    const inner = accepted as unknown as { _handle: unknown };
    const handle = inner._handle;
    // One owner and one closer: the accepted socket is left without a connection.
    inner._handle = null;
    accepted.destroy();
    const options = {
      handle,
      allowHalfOpen: true,
      onread: { buffer: this.#buffer, callback: (length: number) => this.#arrived(length) },
    };
    // Node documents `onread` for sockets that connect; the constructor takes it, and the handle, for every socket.
    this.socket = new net.Socket(options as net.SocketConstructorOpts);
    this.socket.resume();
  }

  /** The bytes that have arrived, valid until the next call, or null. */
  take(): Uint8Array | null {
    const before = this.#before;
    if (before !== undefined) {
      this.#before = undefined;
      return before;
    }
    if (this.#filled > 0 && !this.#taken) {
      this.#taken = true;
      return this.#buffer.subarray(0, this.#filled);
    }
    if (this.#taken) {
      this.#taken = false;
      this.#filled = 0;
      this.socket.resume();
    }
    return null;
  }

  #arrived(length: number): boolean {
    this.#filled = length;
    this.arrived();
    // No more until these are taken.
    return false;
  }
}

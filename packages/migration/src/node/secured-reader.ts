import net from 'node:net';
import type { TLSSocket } from 'node:tls';

/** Large enough that whoever reads hardly ever meets the end of a chunk within a page. */
const WINDOW_SIZE = 512 * 1024;
/** Most bytes of a record of TLS. */
const RECORD_SIZE = 16 * 1024;
/** What may still come when no more is asked for. */
const LATE_SIZE = 128 * 1024;

/**
 * A secured socket whose records are gathered in a window, while what was in the other window is used. Node's usual way
 * makes a buffer for every record, which keeps the garbage collector busier than all else.
 */
export class SecuredReader {
  readonly socket: net.Socket;
  /** Called when there is something to take. */
  arrived: () => void = () => {};
  #window: Uint8Array = new Uint8Array(WINDOW_SIZE + LATE_SIZE);
  /** What was taken last. */
  #used: Uint8Array = new Uint8Array(WINDOW_SIZE + LATE_SIZE);
  #filled = 0;
  #full = false;
  #told = false;

  constructor(socket: TLSSocket) {
    this.socket = socket;
    // What came with the end of the handshake.
    for (let early = socket.read() as Uint8Array | null; early !== null; early = socket.read()) this.#add(early);
    const slot = () => this.#window.subarray(this.#filled, this.#filled + RECORD_SIZE);
    if (!readInto(socket, slot, (length, into) => this.#record(length, into)))
      socket.on('data', (chunk: Uint8Array) => this.#add(chunk));
    socket.resume();
  }

  /** The bytes that have arrived, valid until the next call, or null. */
  take(): Uint8Array | null {
    if (this.#filled === 0) return null;
    const taken = this.#window.subarray(0, this.#filled);
    [this.#window, this.#used] = [this.#used, this.#window];
    this.#filled = 0;
    if (this.#full) {
      this.#full = false;
      this.socket.resume();
    }
    return taken;
  }

  /** A record that stands where it belongs already, unless the window was taken meanwhile. */
  #record(length: number, into: Uint8Array): void {
    if (into.buffer !== this.#window.buffer || into.byteOffset !== this.#filled) this.#add(into.subarray(0, length));
    else this.#grown(length);
  }

  #add(chunk: Uint8Array): void {
    this.#reserve(chunk.length);
    this.#window.set(chunk, this.#filled);
    this.#grown(chunk.length);
  }

  #reserve(length: number): void {
    if (this.#filled + length <= this.#window.length) return;
    const larger = new Uint8Array(2 * this.#window.length + length);
    larger.set(this.#window.subarray(0, this.#filled));
    this.#window = larger;
  }

  #grown(length: number): void {
    this.#filled += length;
    // For the next record.
    this.#reserve(RECORD_SIZE);
    if (!this.#full && this.#filled >= WINDOW_SIZE) {
      this.#full = true;
      this.socket.pause();
    }
    if (this.#told) return;
    this.#told = true;
    // More records have come together with this one.
    setImmediate(() => {
      this.#told = false;
      this.arrived();
    });
  }
}

/**
 * Lets the socket read into one buffer after the other. Node offers that as `onread` of sockets that connect; a secured one
 * of a server gets here what such a socket has.
 *
 * @returns whether it could be arranged
 */
function readInto(
  socket: TLSSocket,
  buffer: () => Uint8Array,
  callback: (length: number, into: Uint8Array) => void,
): boolean {
  const model = new net.Socket({ onread: { buffer, callback } } as unknown as net.SocketConstructorOpts) as object;
  const names = ['kBuffer', 'kBufferCb', 'kBufferGen'];
  const found = Object.getOwnPropertySymbols(model).filter(({ description }) => names.includes(description ?? ''));
  const { _handle: handle } = socket as unknown as { readonly _handle?: { useUserBuffer?(buffer: Uint8Array): void } };
  if (found.length !== names.length || handle?.useUserBuffer === undefined) return false;
  const first = buffer();
  for (const symbol of found)
    Reflect.set(socket, symbol, symbol.description === 'kBuffer' ? first : Reflect.get(model, symbol));
  handle.useUserBuffer(first);
  return true;
}

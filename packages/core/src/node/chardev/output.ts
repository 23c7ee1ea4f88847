import { constants, fstatSync, openSync } from 'node:fs';
import { Socket } from 'node:net';
import { FdWriter } from './fd-writer.ts';

/** Bytes kept before the frontend has to wait. */
const HIGH_WATER = 64 * 1024;

/** Where a backend's bytes go, never blocking. */
export interface Output {
  /** Takes what there is room for; answers how many bytes that was. */
  write(bytes: Uint8Array): number;
  /** Calls back once there is room. */
  onWritable(callback: () => void): void;
  /** Resolves when everything is written, or given up. */
  drained(): Promise<void>;
}

/**
 * An output over an inherited descriptor. Whoever shares it (a shell, a parent) must not find it non-blocking
 * afterwards, so pipes and terminals are opened a second time.
 */
export function openOutput(fd: number): Output {
  const stat = fstatSync(fd);
  if (stat.isSocket()) return new SocketOutput(new Socket({ fd, readable: false, writable: true }));
  if (!stat.isFIFO() && !stat.isCharacterDevice()) return new FdWriter(fd, () => {});
  try {
    return new FdWriter(openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK), () => {});
  } catch {
    // No /proc, or a terminal of another user: writing may then block a thread, never the event loop.
    return new FdWriter(fd, () => {});
  }
}

class SocketOutput implements Output {
  readonly #socket: Socket;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('error', () => socket.destroy());
    socket.unref();
  }

  write(bytes: Uint8Array): number {
    if (this.#socket.destroyed) return bytes.length;
    const taken = Math.min(bytes.length, HIGH_WATER - this.#socket.writableLength);
    if (taken <= 0) return 0;
    this.#socket.write(bytes.slice(0, taken));
    return taken;
  }

  onWritable(callback: () => void): void {
    if (this.#socket.writableLength < HIGH_WATER / 2) queueMicrotask(callback);
    else this.#socket.once('drain', callback);
  }

  drained(): Promise<void> {
    if (this.#socket.destroyed || this.#socket.writableLength === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#socket.once('drain', resolve);
      this.#socket.once('close', () => resolve());
    });
  }
}

import { closeSync } from 'node:fs';
import type { Socket } from 'node:net';
import { type HostLibrary, hostLibrary } from './host-library.ts';

/** Bytes read at once. */
const READ_SIZE = 64 * 1024;
/** Room for control messages: more descriptors than a peer may send at once (Linux: 253). */
const CONTROL_SIZE = 2048;

/** Offsets in the one buffer that native code sees. It must never move, so its parts are views of it. */
const HEADER = 256;
const VECTOR = HEADER + 64;
const CONTROL = VECTOR + 16;
const DATA = CONTROL + CONTROL_SIZE;

const UV_READABLE = 1;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const MSG_DONTWAIT = 0x40;
const MSG_CMSG_CLOEXEC = 0x4000_0000;

/** What a {@link DescriptorReceiver} tells. */
export interface DescriptorReceiverEvents {
  /** Bytes came; the array is the receiver's no more. */
  data(bytes: Uint8Array): void;
  /** Descriptors came, with the bytes of the next `data`. They belong to the listener, who closes them. */
  descriptors(fds: readonly number[]): void;
  /** The peer sends nothing more. */
  end(): void;
}

/**
 * Reads a unix socket together with the descriptors that its peer passes (`SCM_RIGHTS`, unix(7)). Node's sockets read
 * bytes only, and its pipes for child processes end the process when a regular file is passed; so the socket is never
 * read by Node: a copy of its descriptor is watched and read here. Writing stays with the socket.
 */
export class DescriptorReceiver {
  readonly #library: HostLibrary;
  readonly #events: DescriptorReceiverEvents;
  readonly #fd: number;
  readonly #handle: Buffer;
  readonly #message: Buffer;
  readonly #view: DataView;
  readonly #callback: bigint;
  #closed = false;
  /** The listener wants bytes. */
  #wanted = false;
  /** The descriptor is watched. */
  #watched = false;

  /** A receiver for a connected socket that was never read; undefined where this host or Node has no means for it. */
  static for(socket: Socket, events: DescriptorReceiverEvents): DescriptorReceiver | undefined {
    const fd = (socket as unknown as { _handle?: { fd?: number } })._handle?.fd ?? -1;
    const library = fd < 0 ? undefined : hostLibrary();
    const copy = library?.call.dup(fd) ?? -1;
    return library === undefined || copy < 0 ? undefined : new DescriptorReceiver(library, copy, events);
  }

  private constructor(library: HostLibrary, fd: number, events: DescriptorReceiverEvents) {
    const memory = new ArrayBuffer(DATA + READ_SIZE);
    const view = new DataView(memory);
    const base = library.address(memory);
    view.setBigUint64(HEADER + 16, base + BigInt(VECTOR), true);
    view.setBigUint64(HEADER + 24, 1n, true);
    view.setBigUint64(HEADER + 32, base + BigInt(CONTROL), true);
    view.setBigUint64(VECTOR, base + BigInt(DATA), true);
    view.setBigUint64(VECTOR + 8, BigInt(READ_SIZE), true);
    this.#library = library;
    this.#events = events;
    this.#fd = fd;
    this.#handle = Buffer.from(memory, 0, library.pollSize);
    this.#message = Buffer.from(memory, HEADER, 56);
    this.#view = view;
    // The work waits for a turn of the loop: called from native code, an exception could go nowhere.
    this.#callback = library.lib.registerCallback({ arguments: ['pointer', 'i32', 'i32'], return: 'void' }, () => {
      this.#watch(false);
      setImmediate(() => this.#readable());
    });
    library.call.uv_poll_init(library.loop, this.#handle, fd);
  }

  /** Bytes and descriptors are delivered from now on. */
  resume(): void {
    this.#wanted = true;
    this.#watch(true);
  }

  /** What comes from now on waits in the host. */
  pause(): void {
    this.#wanted = false;
    this.#watch(false);
  }

  /** Ends the receiver; the socket stays as it is. */
  close(): void {
    if (this.#closed) return;
    this.pause();
    this.#closed = true;
    const { call, lib } = this.#library;
    call.uv_close(this.#handle, 0n);
    // The loop lets go of the handle at the end of its turn; until then its memory is kept by this closure.
    setImmediate(() =>
      setImmediate(() => {
        closeSync(this.#fd);
        lib.unregisterCallback(this.#callback);
        this.#handle.fill(0);
      }),
    );
  }

  #watch(on: boolean): void {
    if (this.#closed || on === this.#watched) return;
    this.#watched = on;
    const { call } = this.#library;
    if (on) call.uv_poll_start(this.#handle, UV_READABLE, this.#callback);
    else call.uv_poll_stop(this.#handle);
  }

  #readable(): void {
    if (this.#closed || !this.#wanted) return;
    this.#view.setBigUint64(HEADER + 40, BigInt(CONTROL_SIZE), true);
    const read = Number(this.#library.call.recvmsg(this.#fd, this.#message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC));
    // A negative answer is a false alarm or a broken connection; the second comes again, and Node's side learns of it too.
    if (read > 0) {
      const fds = this.#passed();
      if (fds.length > 0) this.#events.descriptors(fds);
      this.#events.data(new Uint8Array(this.#view.buffer.slice(DATA, DATA + read)));
    } else if (read === 0) {
      this.#events.end();
      return;
    }
    if (this.#wanted) this.#watch(true);
  }

  /** Descriptors of the message just read (cmsg(3)). */
  #passed(): number[] {
    const view = this.#view;
    const end = CONTROL + Math.min(Number(view.getBigUint64(HEADER + 40, true)), CONTROL_SIZE);
    const fds: number[] = [];
    for (let at = CONTROL; at + 16 <= end; ) {
      const length = Number(view.getBigUint64(at, true));
      if (length < 16 || at + length > end) break;
      if (view.getInt32(at + 8, true) === SOL_SOCKET && view.getInt32(at + 12, true) === SCM_RIGHTS)
        for (let i = at + 16; i + 4 <= at + length; i += 4) fds.push(view.getInt32(i, true));
      at += Math.ceil(length / 8) * 8;
    }
    return fds;
  }
}

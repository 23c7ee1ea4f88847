import type { CharBackend, CharFrontend } from './char-backend.ts';
import { InputQueue } from './input-queue.ts';

const ESCAPE = 0x01; // Ctrl-A
/** Typed bytes kept for a frontend that does not read. Generous: beyond it Ctrl-A is no longer seen either. */
const MAX_WAITING = 4096;

const HELP = `
Ctrl-A h   this help
Ctrl-A x   quit the emulator
Ctrl-A b   send a break
Ctrl-A c   switch between console and monitor
Ctrl-A Ctrl-A   send Ctrl-A
`;

/** What a mux needs from its surroundings. */
export interface CharMuxOptions {
  /** Ctrl-A x was typed. */
  readonly onQuit: () => void;
}

/**
 * Several frontends on one backend: all may write, one reads. Keys typed after Ctrl-A belong to the mux. A frontend
 * hears `opened` when it gets the keyboard and `closed` when it loses it.
 */
export class CharMux {
  readonly #backend: CharBackend;
  readonly #onQuit: () => void;
  readonly #ports: MuxPort[] = [];
  #focus: MuxPort | undefined;
  #escaped = false;
  #opened = false;

  constructor(backend: CharBackend, options: CharMuxOptions) {
    this.#backend = backend;
    this.#onQuit = options.onQuit;
    backend.attach({
      canReceive: () => this.#focus?.room ?? MAX_WAITING,
      receive: (bytes) => this.#receive(bytes),
      event: (event) => {
        if (event !== 'break') this.#opened = event === 'opened';
        this.#focus?.frontend?.event?.(event);
      },
    });
  }

  /** Makes a backend for one more frontend. The keyboard goes to the port that was attached first, see {@link MuxPort.focus}. */
  port(id: string): MuxPort {
    const port = new MuxPort(id, this.#backend, (wanted, take) => {
      if (take || this.#focus === undefined || this.#focus === wanted) this.#setFocus(wanted);
    });
    this.#ports.push(port);
    return port;
  }

  /** Closes the backend behind the mux. */
  close(): Promise<void> {
    return this.#backend.close();
  }

  #setFocus(port: MuxPort): void {
    if (this.#focus === port) {
      if (this.#opened) port.frontend?.event?.('opened');
      return;
    }
    const previous = this.#focus;
    this.#focus = port;
    previous?.frontend?.event?.('closed');
    if (this.#opened) port.frontend?.event?.('opened');
    this.#backend.acceptInput();
  }

  #receive(bytes: Uint8Array): void {
    let start = 0;
    for (let at = 0; at < bytes.length; at++) {
      const byte = bytes[at]!;
      if (!this.#escaped && byte !== ESCAPE) continue;
      if (start < at) this.#focus?.push(bytes.subarray(start, at));
      start = at + 1;
      if (this.#escaped) this.#command(byte);
      this.#escaped = !this.#escaped;
    }
    if (start < bytes.length) this.#focus?.push(bytes.subarray(start));
  }

  #command(byte: number): void {
    switch (String.fromCharCode(byte)) {
      case 'h':
      case '?':
        this.#backend.write(new TextEncoder().encode(HELP.replaceAll('\n', '\r\n')));
        return;
      case 'x':
        this.#backend.write(new TextEncoder().encode('\r\nsterna: terminated by Ctrl-A x\r\n'));
        this.#onQuit();
        return;
      case 'b':
        this.#focus?.frontend?.event?.('break');
        return;
      case 'c':
        this.#switch();
        return;
      case '\x01':
        this.#focus?.push(Uint8Array.of(ESCAPE));
    }
  }

  #switch(): void {
    const attached = this.#ports.filter((port) => port.frontend !== undefined);
    if (attached.length === 0) return;
    const current = this.#focus === undefined ? -1 : attached.indexOf(this.#focus);
    this.#setFocus(attached[(current + 1) % attached.length]!);
  }
}

/** One frontend's side of a {@link CharMux}. */
export class MuxPort implements CharBackend {
  readonly id: string;
  readonly #backend: CharBackend;
  readonly #input: InputQueue;
  readonly #setFocus: (port: MuxPort, take: boolean) => void;

  constructor(id: string, backend: CharBackend, setFocus: (port: MuxPort, take: boolean) => void) {
    this.id = id;
    this.#backend = backend;
    this.#setFocus = setFocus;
    this.#input = new InputQueue(() => backend.acceptInput());
  }

  get connected(): boolean {
    return this.#backend.connected;
  }

  /** Who gets this port's input. */
  get frontend(): CharFrontend | undefined {
    return this.#input.frontend;
  }

  /** Bytes the port takes before the backend has to wait. */
  get room(): number {
    return Math.max(0, MAX_WAITING - this.#input.length);
  }

  attach(frontend: CharFrontend | undefined): void {
    this.#input.attach(frontend);
    if (frontend !== undefined) this.#setFocus(this, false);
  }

  /** Gives the keyboard to this port. */
  focus(): void {
    this.#setFocus(this, true);
  }

  /** Hands typed bytes to the frontend. */
  push(bytes: Uint8Array): void {
    this.#input.push(bytes);
  }

  write(bytes: Uint8Array): number {
    return this.#backend.write(bytes);
  }

  onWritable(callback: () => void): void {
    this.#backend.onWritable(callback);
  }

  acceptInput(): void {
    this.#input.deliver();
  }

  /** Detaches the frontend; the shared backend stays open, its owner is the mux. */
  async close(): Promise<void> {
    this.#input.attach(undefined);
  }
}

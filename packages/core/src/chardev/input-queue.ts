import type { CharFrontend } from './char-backend.ts';

/**
 * Bytes from the host on their way to a frontend. A frontend takes only as many as it has room for (a UART without
 * FIFO: one), so what is left waits here and the backend stops reading until it is gone.
 */
export class InputQueue {
  #frontend: CharFrontend | undefined;
  #chunks: Uint8Array[] = [];
  #delivering = false;
  /** Called when everything waiting was delivered, so that the backend may read on. */
  readonly #onEmpty: () => void;

  constructor(onEmpty: () => void) {
    this.#onEmpty = onEmpty;
  }

  get frontend(): CharFrontend | undefined {
    return this.#frontend;
  }

  /** Connects another frontend; what waits is for the new one. */
  attach(frontend: CharFrontend | undefined): void {
    this.#frontend = frontend;
    this.deliver();
  }

  /** True while nothing waits. */
  get empty(): boolean {
    return this.#chunks.length === 0;
  }

  /** Bytes that wait. */
  get length(): number {
    return this.#chunks.reduce((sum, chunk) => sum + chunk.length, 0);
  }

  /** Adds bytes (which the caller must not change any more) and delivers what the frontend takes. Answers whether all are gone. */
  push(bytes: Uint8Array): boolean {
    if (bytes.length > 0) this.#chunks.push(bytes);
    this.deliver(false);
    return this.empty;
  }

  /** Forgets what waits, for example when the connection it came from is gone. */
  clear(): void {
    this.#chunks = [];
  }

  /** Delivers as much as the frontend takes. */
  deliver(notify = true): void {
    // A frontend may ask for more from inside `receive`; the loop below is already at it.
    if (this.#delivering || this.#frontend === undefined) return;
    const waited = !this.empty;
    this.#delivering = true;
    try {
      while (this.#chunks.length > 0) {
        const room = this.#frontend?.canReceive() ?? 0;
        if (room <= 0) return;
        const chunk = this.#chunks[0]!;
        if (chunk.length <= room) this.#chunks.shift();
        else this.#chunks[0] = chunk.subarray(room);
        this.#frontend?.receive(chunk.subarray(0, Math.min(room, chunk.length)));
      }
    } finally {
      this.#delivering = false;
    }
    if (waited && notify) this.#onEmpty();
  }
}

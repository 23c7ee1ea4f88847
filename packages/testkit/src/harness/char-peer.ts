import type { CharBackend, CharFrontend } from '@sterna/core';

/** The other end of a character channel, in the test's hands. */
export class CharPeer implements CharBackend {
  readonly id = 'peer';
  readonly connected = true;
  #frontend: CharFrontend | undefined;
  #typed: number[] = [];
  #written = '';

  attach(frontend: CharFrontend | undefined): void {
    this.#frontend = frontend;
    frontend?.event?.('opened');
    this.acceptInput();
  }

  write(bytes: Uint8Array): number {
    for (const byte of bytes) this.#written += String.fromCharCode(byte);
    return bytes.length;
  }

  onWritable(callback: () => void): void {
    callback();
  }

  acceptInput(): void {
    while (this.#typed.length > 0 && (this.#frontend?.canReceive() ?? 0) > 0)
      this.#frontend!.receive(Uint8Array.of(this.#typed.shift()!));
  }

  async close(): Promise<void> {}

  /** Sends text, byte by byte as the device takes it. */
  type(text: string): void {
    this.#typed.push(...new TextEncoder().encode(text));
    this.acceptInput();
  }

  /** Forgets what the device has not taken yet. */
  clear(): void {
    this.#typed = [];
  }

  /** What was written since the last call, a character for each byte. */
  take(): string {
    const text = this.#written;
    this.#written = '';
    return text;
  }

  /** Whether a device is attached. */
  get attached(): boolean {
    return this.#frontend !== undefined;
  }
}

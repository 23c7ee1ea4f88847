import type { CharBackend, CharFrontend } from '@sterna/core';

/** A backend in a test's hands. */
export class FakeBackend implements CharBackend {
  readonly id = 'test';
  connected = true;
  frontend: CharFrontend | undefined;
  text = '';
  /** Bytes `write` still takes. */
  room = Number.POSITIVE_INFINITY;
  #writable: (() => void)[] = [];

  attach(frontend: CharFrontend | undefined): void {
    this.frontend = frontend;
    frontend?.event?.('opened');
  }

  write(bytes: Uint8Array): number {
    const taken = Math.min(bytes.length, this.room);
    this.room -= taken;
    this.text += Buffer.from(bytes.subarray(0, taken)).toString();
    return taken;
  }

  onWritable(callback: () => void): void {
    this.#writable.push(callback);
  }

  makeRoom(room: number): void {
    this.room = room;
    for (const callback of this.#writable.splice(0)) callback();
  }

  acceptInput(): void {}

  async close(): Promise<void> {}

  /** Types text. */
  send(text: string): void {
    for (const byte of Buffer.from(text)) this.frontend!.receive(Uint8Array.of(byte));
  }

  /** The messages sent so far, parsed. */
  get messages(): Record<string, unknown>[] {
    return this.text
      .split('\r\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
  }

  /** Answers so far, without greeting and events. */
  get answers(): Record<string, unknown>[] {
    return this.messages.filter((message) => 'return' in message || 'error' in message);
  }
}

/** Lets promises settle. */
export const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

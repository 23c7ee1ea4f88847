import type { CharBackend, CharFrontend } from './char-backend.ts';

/** A backend that swallows everything and never says anything. */
export class NullBackend implements CharBackend {
  readonly id: string;
  readonly connected = true;

  constructor(id: string) {
    this.id = id;
  }

  attach(frontend: CharFrontend | undefined): void {
    frontend?.event?.('opened');
  }

  write(bytes: Uint8Array): number {
    return bytes.length;
  }

  onWritable(callback: () => void): void {
    callback();
  }

  acceptInput(): void {}

  async close(): Promise<void> {}
}

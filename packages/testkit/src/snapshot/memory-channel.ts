import type { MigrationChannel } from '@sterna/migration';

/** A channel into or out of memory. */
export class MemoryChannel implements MigrationChannel {
  readonly name = 'memory';
  readonly bidirectional = false;
  readonly #chunks: Uint8Array[] = [];
  #rest: Uint8Array | undefined;

  /** @param content - What is read; without it the channel collects what is written. */
  constructor(content?: Uint8Array) {
    this.#rest = content;
  }

  /** What was written. */
  get bytes(): Uint8Array {
    const all = new Uint8Array(this.#chunks.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const chunk of this.#chunks) {
      all.set(chunk, at);
      at += chunk.length;
    }
    return all;
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.#chunks.push(bytes.slice());
  }

  async read(): Promise<Uint8Array | undefined> {
    const rest = this.#rest;
    this.#rest = undefined;
    return rest?.length === 0 ? undefined : rest;
  }

  async end(): Promise<void> {}
  abort(): void {}
  async close(): Promise<void> {}
}

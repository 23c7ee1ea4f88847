import { PAGE_CLEAN_RATE } from '@sterna/core';
import type { MigrationHost } from '../host.ts';
import { PAGE } from '../ram/blocks.ts';

/** Every page, by a flag of its own beside migration's: both can be at work. */
export class DirtyPages {
  readonly #host: MigrationHost;
  readonly #flags: Uint8Array;

  constructor(host: MigrationHost) {
    this.#host = host;
    this.#flags = new Uint8Array(host.memory.buffer);
  }

  /** From now on writes are seen. */
  begin(): void {
    this.#each((flags, at) => {
      flags[at]! |= PAGE_CLEAN_RATE;
      return 0;
    });
    // Pages that may be written without looking at the flag must be looked at once more.
    this.#host.flushWriteTags();
  }

  /** Ends it. Answers the bytes of the pages that were written. */
  end(): number {
    return (
      PAGE *
      this.#each((flags, at) => {
        const written = (flags[at]! & PAGE_CLEAN_RATE) === 0;
        flags[at]! &= ~PAGE_CLEAN_RATE;
        return written ? 1 : 0;
      })
    );
  }

  #each(visit: (flags: Uint8Array, at: number) => number): number {
    let sum = 0;
    for (const { hostOffset, usedLength } of this.#host.ramBlocks()) {
      const first = this.#host.pageFlags + hostOffset / PAGE;
      const end = first + Math.ceil(usedLength / PAGE);
      for (let at = first; at < end; at++) sum += visit(this.#flags, at);
    }
    return sum;
  }
}

import type { RamBlock } from '@sterna/core';
import { StreamError } from '../errors.ts';
import type { MigrationHost } from '../host.ts';
import type { MultifdInput } from './incoming.ts';
import { multifdKernelModule } from './kernel.ts';
import type { MultifdCompression, StateHeader } from './packets.ts';

/** Takes a packet of a device's state. */
export type StateTaker = (header: StateHeader, state: Uint8Array) => Promise<void>;

/**
 * All channels of an incoming migration beside the main one, kept in step with it.
 *
 * The source marks all channels and the main one at once. A channel stops at its mark; the main one stops at its own until all
 * channels have come to theirs. So what is sent after the marks is read after everything before them, whatever channel it is on.
 */
export class MultifdReceiver {
  readonly #host: MigrationHost;
  readonly #inputs: readonly MultifdInput[];
  readonly #compression: MultifdCompression;
  readonly #state: StateTaker;
  /** Whether marks come with a record of the main channel; else they come at the end of each section. Known after the first. */
  #marked: boolean | undefined;

  /** @param state - Takes what comes for devices. */
  constructor(
    host: MigrationHost,
    inputs: readonly MultifdInput[],
    compression: MultifdCompression,
    state: StateTaker,
  ) {
    this.#host = host;
    this.#inputs = inputs;
    this.#compression = compression;
    this.#state = state;
  }

  /** The blocks are known with their lengths: pages may come. */
  start(blocks: readonly RamBlock[]): void {
    const { memory, pageFlags } = this.#host;
    const plan = {
      memory,
      kernel: multifdKernelModule(),
      compression: this.#compression,
      blocks: blocks.map(({ name, hostOffset, usedLength }) => ({
        name,
        hostOffset,
        flags: pageFlags + hostOffset / 4096,
        pages: usedLength / 4096,
      })),
    };
    for (const input of this.#inputs) input.start(plan, this.#state);
  }

  /** The record MULTIFD_FLUSH was read. */
  flush(): Promise<void> {
    this.#marked = true;
    return this.#synchronise();
  }

  /** The end of a section of RAM was read. Sources of 8.0 and before synchronise there, and have no record for it. */
  async endOfSection(): Promise<void> {
    // Every source synchronises in the first section; one with the record has sent it there.
    this.#marked ??= false;
    if (!this.#marked) await this.#synchronise();
  }

  async #synchronise(): Promise<void> {
    const reached = await Promise.all(this.#inputs.map((input) => input.reached()));
    for (const { watched } of reached) for (const address of watched) this.#host.markWritten(address, 4096);
    for (const input of this.#inputs) input.resume();
  }
}

/** What an error of a channel looks like to whoever reads the log. */
export function channelError(name: string, error: Error): StreamError {
  return new StreamError(`${name}: ${error.message}`, {}, { cause: error });
}

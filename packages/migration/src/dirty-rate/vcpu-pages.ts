import { PAGE_CLEAN_LIMIT } from '@sterna/core';
import type { DirtyingCpus } from '../dirty-limit/dirtying-cpus.ts';
import type { MigrationHost } from '../host.ts';
import { PAGE } from '../ram/blocks.ts';

/**
 * What each vCPU has written, as QEMU knows it from KVM's dirty rings: the engine counts the first write to a page. Limits of
 * vCPUs count by the same flag of a page, which does them no harm.
 */
export class VcpuPages {
  readonly #cpus: DirtyingCpus;
  readonly #before: readonly number[];

  constructor(host: MigrationHost, cpus: DirtyingCpus) {
    this.#cpus = cpus;
    const flags = new Uint8Array(host.memory.buffer);
    for (const { hostOffset, usedLength } of host.ramBlocks()) {
      const first = host.pageFlags + hostOffset / PAGE;
      const end = first + Math.ceil(usedLength / PAGE);
      for (let at = first; at < end; at++) flags[at]! |= PAGE_CLEAN_LIMIT;
    }
    // Pages that may be written without looking at the flag must be looked at once more.
    host.flushWriteTags();
    this.#before = this.#counters();
  }

  /** Bytes of the pages that each vCPU has written since. */
  bytes(): readonly number[] {
    return this.#counters().map((now, index) => ((now - this.#before[index]!) >>> 0) * PAGE);
  }

  #counters(): readonly number[] {
    return Array.from({ length: this.#cpus.count }, (_, index) => this.#cpus.dirtied(index));
  }
}

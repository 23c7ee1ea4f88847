/**
 * Limits on how fast each vCPU dirties memory (QEMU system/dirtylimit.c, v10.0). QEMU finds out from the dirty rings of KVM,
 * and lets a vCPU sleep whenever its ring is full for as long as seems right. Here the engine counts the first write of a vCPU
 * to each page, so that it rests exactly as long as it takes until what it has dirtied fits.
 */
import { PAGE_CLEAN_LIMIT, SternaError } from '@sterna/core';
import type { MigrationHost } from '../host.ts';
import type { Pace } from '../pace.ts';
import { PAGE } from '../ram/blocks.ts';
import type { DirtyingCpus } from './dirtying-cpus.ts';

/** How often pages are looked at outside of a migration, in ms. */
const PERIOD_MS = 1000;
const MIB = 2 ** 20;

/** Element of `query-vcpu-dirty-limit` (QAPI DirtyLimitInfo); rates in MiB per second. */
export interface DirtyLimitInfo {
  readonly 'cpu-index': number;
  readonly 'limit-rate': number;
  readonly 'current-rate': number;
}

interface Limited {
  readonly rate: number;
  /** The vCPU's counter when the period began, and its rate in the last one. */
  seen: number;
  current: number;
}

/** The limits of one machine, set by its user or by a migration. */
export class DirtyLimits implements Disposable {
  readonly #host: MigrationHost;
  readonly #pace: Pace;
  readonly #limits = new Map<number, Limited>();
  #watching: AbortController | undefined;
  /** A migration has set them, with this period. */
  #migrationPeriodMs: number | undefined;
  #longestRestUs = 0;

  constructor(host: MigrationHost, pace: Pace) {
    this.#host = host;
    this.#pace = pace;
  }

  /** Whether there is any. */
  get active(): boolean {
    return this.#limits.size > 0;
  }
  /** Longest time in µs that a vCPU had to rest in the last period. */
  get longestRestUs(): number {
    return this.#longestRestUs;
  }

  /**
   * Limits one vCPU, or all.
   *
   * @param mibPerSecond - 0 takes the limit away, as in QEMU
   * @throws SternaError when there is no such vCPU, none that counts, or a migration has set limits
   */
  set(mibPerSecond: number, index?: number): void {
    if (mibPerSecond === 0) {
      this.cancel(index);
      return;
    }
    if (!(mibPerSecond > 0)) throw refused("Parameter 'dirty-rate' expects a number of MiB per second");
    this.#checkFree();
    this.#apply(mibPerSecond, this.#chosen(index));
  }

  /** Takes the limit of one vCPU away, or all. @throws SternaError as {@link DirtyLimits.set} */
  cancel(index?: number): void {
    const chosen = this.#chosen(index);
    if (!this.active) return;
    this.#checkFree();
    this.#remove(chosen);
  }

  /** Limits all vCPUs for a migration. */
  begin(mibPerSecond: number, periodMs: number): void {
    this.#migrationPeriodMs = periodMs;
    this.#apply(mibPerSecond, this.#chosen(undefined));
  }

  /** The migration is over. */
  end(): void {
    if (this.#migrationPeriodMs === undefined) return;
    this.#migrationPeriodMs = undefined;
    this.#remove([...this.#limits.keys()]);
  }

  /** All limits with the rates of the last period. */
  query(): DirtyLimitInfo[] {
    return [...this.#limits]
      .sort(([a], [b]) => a - b)
      .map(([index, { rate, current }]) => ({ 'cpu-index': index, 'limit-rate': rate, 'current-rate': current }));
  }

  /** Takes all limits away. */
  [Symbol.dispose](): void {
    this.#migrationPeriodMs = undefined;
    if (this.active) this.#remove([...this.#limits.keys()]);
  }

  get #cpus(): DirtyingCpus {
    const { dirtying } = this.#host;
    if (dirtying !== undefined) return dirtying;
    throw new SternaError('STERNA_ERR_UNSUPPORTED', 'the CPUs of this machine do not count the pages that they dirty');
  }

  #chosen(index: number | undefined): readonly number[] {
    const { count } = this.#cpus;
    if (index === undefined) return Array.from({ length: count }, (_, i) => i);
    if (Number.isInteger(index) && index >= 0 && index < count) return [index];
    throw refused(`incorrect cpu index specified: there are vCPUs 0 to ${count - 1}, not ${index}`);
  }

  #checkFree(): void {
    if (this.#migrationPeriodMs !== undefined)
      throw new SternaError(
        'STERNA_ERR_MIGRATION_STATE',
        'dirty page rates are limited by the migration under way (capability dirty-limit); wait for its end or cancel it',
      );
  }

  #apply(rate: number, indices: readonly number[]): void {
    const cpus = this.#cpus;
    for (const index of indices) {
      cpus.limit(index, (rate * MIB) / PAGE);
      this.#limits.set(index, { rate, seen: cpus.dirtied(index), current: this.#limits.get(index)?.current ?? 0 });
    }
    if (this.#watching !== undefined) return;
    this.#watching = new AbortController();
    void this.#watch(this.#watching.signal);
  }

  #remove(indices: readonly number[]): void {
    for (const index of indices) {
      if (this.#limits.delete(index)) this.#cpus.limit(index, undefined);
    }
    if (this.active) return;
    this.#watching?.abort();
    this.#watching = undefined;
    this.#longestRestUs = 0;
    this.#markPages(false);
  }

  /** Period after period all pages count anew. */
  async #watch(ended: AbortSignal): Promise<void> {
    while (!ended.aborted) {
      this.#markPages(true);
      const began = this.#pace.now();
      await this.#pace.sleep(this.#migrationPeriodMs ?? PERIOD_MS, ended);
      if (ended.aborted) return;
      const seconds = Math.max(1, this.#pace.now() - began) / 1000;
      for (const [index, limited] of this.#limits) {
        const dirtied = this.#cpus.dirtied(index);
        limited.current = Math.round((((dirtied - limited.seen) >>> 0) * PAGE) / MIB / seconds);
        limited.seen = dirtied;
      }
      this.#longestRestUs = Math.round(this.#cpus.takeLongestRest() / 1000);
    }
  }

  #markPages(on: boolean): void {
    for (const { hostOffset, usedLength } of this.#host.ramBlocks()) {
      const first = this.#host.pageFlags + hostOffset / PAGE;
      const flags = new Uint8Array(this.#host.memory.buffer, first, Math.ceil(usedLength / PAGE));
      for (let i = 0; i < flags.length; i++) {
        if (on) flags[i]! |= PAGE_CLEAN_LIMIT;
        else flags[i]! &= ~PAGE_CLEAN_LIMIT;
      }
    }
    if (on) this.#host.flushWriteTags();
  }
}

function refused(message: string): SternaError {
  return new SternaError('STERNA_ERR_OPTION_VALUE', message);
}

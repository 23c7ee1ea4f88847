import type { VirtualClock, VmStateTable } from '@sterna/core';
import { STUB_PAGE, type StubMemory } from './stub-memory.ts';

const NS_PER_SECOND = 1e9;

/**
 * Dirties the device's memory at a set rate of guest time: write number n puts n + 1 into the first word of page
 * n modulo the working set.
 *
 * There is no timer. What should have been written by now follows from the clock alone, and is made up for whenever
 * somebody looks. The result depends only on guest time, so a migration, which stops that clock, cannot change it.
 */
export class LoadGenerator {
  /** KiB of pages written in a second; 0 stops. */
  rate = 0;
  /** Pages that are written in turn, from the first on. */
  workingSet: number;
  /** Guest time and number of the write from which the rate counts. */
  anchorNs = 0;
  anchorWrites = 0;
  /** Writes made so far. */
  writes = 0;
  readonly #memory: StubMemory;
  readonly #clock: Pick<VirtualClock, 'now'>;

  constructor(memory: StubMemory, clock: Pick<VirtualClock, 'now'>) {
    this.#memory = memory;
    this.#clock = clock;
    this.workingSet = memory.pages;
  }

  /** Makes up for the time since the last look. Cheap however long that is: only a page's last write counts. */
  catchUp(): void {
    if (this.rate === 0) return;
    const perNs = (this.rate * 1024) / STUB_PAGE / NS_PER_SECOND;
    const due = this.anchorWrites + Math.floor((this.#clock.now() - this.anchorNs) * perNs);
    for (let n = Math.max(this.writes, due - this.workingSet); n < due; n++)
      this.#memory.write((n % this.workingSet) * (STUB_PAGE / 4), (n + 1) >>> 0);
    this.writes = Math.max(this.writes, due);
  }

  /** Changes the rate, in KiB per second of guest time. */
  setRate(rate: number): void {
    this.catchUp();
    this.rate = rate;
    this.#anchor();
  }

  /** Changes the working set; the caller has checked that it is between one page and all. */
  setWorkingSet(pages: number): void {
    this.catchUp();
    this.workingSet = pages;
    this.#anchor();
  }

  reset(rate: number, workingSet: number): void {
    this.rate = rate;
    this.workingSet = workingSet;
    this.writes = 0;
    this.#anchor();
  }

  #anchor(): void {
    // Whole, as it travels: both sides must come to the same writes.
    this.anchorNs = Math.floor(this.#clock.now());
    this.anchorWrites = this.writes;
  }
}

/** What of it travels; the writes that are due by then follow from the virtual clock. */
export const loadGeneratorTable: VmStateTable<LoadGenerator> = {
  name: 'vfio/load',
  version: 1,
  fields: ({ u32, ns, size }) => [u32('rate'), u32('workingSet'), ns('anchorNs'), size('anchorWrites'), size('writes')],
};

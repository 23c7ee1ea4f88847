import type { Timer, VirtualClock, VmStateTable } from '@sterna/core';
import { STUB_PAGE, type StubMemory } from './stub-memory.ts';

const NS_PER_SECOND = 1e9;
/** The guest time of a machine that sleeps goes from timer to timer: the longest step while there is a load. */
const STEP_NS = 1e7;

/**
 * Dirties the device's memory at a set rate of guest time: write number n puts n + 1 into the first word of page
 * n modulo the working set.
 *
 * What should have been written by now follows from the clock alone, and is made up for whenever somebody looks. The
 * result depends only on guest time, so a migration, which stops that clock, cannot change it.
 */
export class LoadGenerator {
  /** KiB of pages written in a second; 0 stops. */
  rate: number;
  /** Pages that are written in turn, from the first on. */
  workingSet: number;
  /** Guest time and number of the write from which the rate counts. */
  anchorNs = 0;
  anchorWrites = 0;
  /** Writes made so far. */
  writes = 0;
  readonly #memory: StubMemory;
  readonly #clock: VirtualClock;
  readonly #step: Timer;
  /** Rate and working set after a reset. */
  readonly #initial: readonly [rate: number, workingSet: number];
  #working = true;

  constructor(memory: StubMemory, clock: VirtualClock, rate = 0, workingSet: number = memory.pages) {
    this.#memory = memory;
    this.#clock = clock;
    this.#initial = [rate, workingSet];
    [this.rate, this.workingSet] = this.#initial;
    this.#step = clock.timer('load', () => {
      this.catchUp();
      this.#arm();
    });
  }

  /** The device begins or ceases to work. */
  work(working: boolean): void {
    this.catchUp();
    this.#working = working;
    this.#arm();
  }

  #arm(): void {
    // At whole steps of guest time, so that a migration that did not happen leaves no trace.
    if (this.#working && this.rate > 0) this.#step.arm((Math.floor(this.#clock.now() / STEP_NS) + 1) * STEP_NS);
    else this.#step.cancel();
  }

  /** Makes up for the time since the last look of a device that works. However long that is, only a page's last write counts. */
  catchUp(): void {
    if (this.rate === 0 || !this.#working) return;
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

  /** As at the start. */
  reset(): void {
    [this.rate, this.workingSet] = this.#initial;
    this.writes = 0;
    this.#anchor();
  }

  #anchor(): void {
    // Whole, as it travels: both sides must come to the same writes.
    this.anchorNs = Math.floor(this.#clock.now());
    this.anchorWrites = this.writes;
    this.#arm();
  }
}

/** What of it travels; the writes that are due by then follow from the virtual clock. */
export const loadGeneratorTable: VmStateTable<LoadGenerator> = {
  name: 'vfio/load',
  version: 1,
  fields: ({ u32, ns, size }) => [u32('rate'), u32('workingSet'), ns('anchorNs'), size('anchorWrites'), size('writes')],
};

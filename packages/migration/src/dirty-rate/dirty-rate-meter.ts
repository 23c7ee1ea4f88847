import { SternaError } from '@sterna/core';
import type { MigrationHost } from '../host.ts';
import type { Pace } from '../pace.ts';
import { DirtyPages } from './dirty-bitmap.ts';
import { PageSamples } from './page-sampling.ts';
import type { DirtyRateInfo, DirtyRateMode, DirtyRateRequest, TimeUnit } from './types.ts';
import { VcpuPages } from './vcpu-pages.ts';

/** Limits and defaults of QEMU (migration/dirtyrate.h, v10.0). */
const [MIN_MS, MAX_MS] = [50, 60_000];
const [MIN_SAMPLES, MAX_SAMPLES, DEFAULT_SAMPLES] = [128, 16_384, 512];
const MIB = 2 ** 20;

/** What a meter needs beside the machine. */
export interface DirtyRateOptions {
  readonly pace: Pace;
  /** Nanoseconds since 1970. */
  readonly wallNs: () => bigint;
  /** Chooses the pages that are sampled: numbers from 0 on, below 1. */
  readonly random: () => number;
}

interface Measurement {
  readonly mode: DirtyRateMode;
  readonly samplePages: number;
  /** Seconds since 1970. */
  readonly startTime: number;
  /** Milliseconds it takes; corrected at the end. */
  ms: number;
  /** MiB per second, once it is over. */
  rate: number | undefined;
  /** The same for each vCPU, where they are counted. */
  vcpus: readonly number[];
}

/** Measures how fast the guest dirties its memory, one measurement at a time (QMP's `calc-dirty-rate`). */
export class DirtyRateMeter implements Disposable {
  readonly #host: MigrationHost;
  readonly #options: DirtyRateOptions;
  readonly #ending = new AbortController();
  #last: Measurement | undefined;
  #busy = false;

  constructor(host: MigrationHost, options: DirtyRateOptions) {
    this.#host = host;
    this.#options = options;
  }

  /**
   * Begins a measurement; its result is in {@link DirtyRateMeter.query} when it is over.
   *
   * @returns a promise of the end, which nobody has to wait for
   * @throws SternaError for a time, mode or number of pages that cannot be, or while another measurement is under way
   */
  start(request: DirtyRateRequest): { readonly ended: Promise<void> } {
    if (this.#busy) throw new SternaError('STERNA_ERR_RUN_STATE', 'the dirty rate is already being measured');
    const ms = request['calc-time'] * msOf(request['calc-time-unit'] ?? 'second');
    if (!(ms >= MIN_MS && ms <= MAX_MS)) throw refused(`calc-time is out of range [${MIN_MS} ms, ${MAX_MS} ms]`);
    const mode = request.mode ?? 'page-sampling';
    if (mode === 'dirty-ring' && this.#host.dirtying === undefined)
      throw refused('mode dirty-ring needs vCPUs that count the pages they dirty; use one of the others');
    const given = request['sample-pages'];
    if (given !== undefined && mode !== 'page-sampling') throw refused('sample-pages is for mode page-sampling only');
    const samplePages = given ?? DEFAULT_SAMPLES;
    if (!(samplePages >= MIN_SAMPLES && samplePages <= MAX_SAMPLES))
      throw refused(`sample-pages is out of range [${MIN_SAMPLES}, ${MAX_SAMPLES}]`);
    const startTime = Number(this.#options.wallNs() / 1_000_000_000n);
    const measurement: Measurement = { mode, samplePages, startTime, ms, rate: undefined, vcpus: [] };
    this.#last = measurement;
    this.#busy = true;
    return { ended: this.#measure(measurement) };
  }

  /** The last measurement, or the one under way. @param unit of the time in it */
  query(unit: TimeUnit = 'second'): DirtyRateInfo {
    const { mode, samplePages, startTime, ms, rate, vcpus } = this.#last ?? NEVER;
    return {
      status: this.#last === undefined ? 'unstarted' : rate === undefined ? 'measuring' : 'measured',
      ...(rate === undefined ? {} : { 'dirty-rate': rate }),
      'start-time': startTime,
      'calc-time': Math.floor(ms / msOf(unit)),
      'calc-time-unit': unit,
      'sample-pages': samplePages,
      mode,
      ...(rate === undefined || mode !== 'dirty-ring'
        ? {}
        : { 'vcpu-dirty-rate': vcpus.map((one, id) => ({ id, 'dirty-rate': one })) }),
    };
  }

  /** Ends a measurement under way. */
  [Symbol.dispose](): void {
    this.#ending.abort();
  }

  async #measure(measurement: Measurement): Promise<void> {
    const { pace } = this.#options;
    const turn = () => pace.turn();
    try {
      const changed = await this.#begin(measurement, turn);
      const began = pace.now();
      await pace.sleep(measurement.ms, this.#ending.signal);
      const bytes = await changed();
      // A busy host gives more time than was asked for.
      measurement.ms = Math.max(1, pace.now() - began);
      const rates = bytes.map((each) => Math.floor((each * 1000) / MIB / measurement.ms));
      measurement.vcpus = rates;
      measurement.rate = rates.reduce((sum, each) => sum + each, 0);
    } finally {
      this.#busy = false;
    }
  }

  /** Answers how to find the bytes that have changed since: one number, or one for each vCPU. */
  async #begin(
    { mode, samplePages }: Measurement,
    turn: () => Promise<void>,
  ): Promise<() => readonly number[] | Promise<readonly number[]>> {
    if (mode === 'dirty-ring') {
      const pages = new VcpuPages(this.#host, this.#host.dirtying!);
      return () => pages.bytes();
    }
    if (mode === 'dirty-bitmap') {
      const pages = new DirtyPages(this.#host);
      pages.begin();
      return () => [pages.end()];
    }
    const samples = new PageSamples(this.#host, samplePages, this.#options.random);
    await samples.take(turn);
    return async () => [await samples.changedBytes(turn)];
  }
}

/** What there is before the first measurement. */
const NEVER: Measurement = { mode: 'page-sampling', samplePages: 0, startTime: 0, ms: 0, rate: undefined, vcpus: [] };

function msOf(unit: TimeUnit): number {
  return unit === 'second' ? 1000 : 1;
}

function refused(message: string): SternaError {
  return new SternaError('STERNA_ERR_OPTION_VALUE', message);
}

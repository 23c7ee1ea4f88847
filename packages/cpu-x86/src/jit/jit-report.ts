import { cellAddress } from '../state/layout.ts';
import type { JitOptions } from './jit-options.ts';
import { type JitStatistics, LONG_PAUSE_MS } from './jit-statistics.ts';
import { REGION_EXIT_NAMES } from './region-exit.ts';
import type { RegionStore } from './region-store.ts';

/** What a report is about. */
export interface JitView {
  readonly options: JitOptions;
  readonly statistics: JitStatistics;
  readonly store: RegionStore;
  /** Where the translation is done. */
  readonly where: string;
  /** Jobs that another thread has. */
  readonly inFlight: number;
}

/** Text of `info jit`. `u32` is the machine's memory. */
export function describeJit({ options, statistics: s, store, where, inFlight }: JitView, u32: Uint32Array): string {
  if (options.threshold === 0) return 'JIT: off, everything is interpreted\n';
  const ms = (x: number): string => `${x.toFixed(1)} ms`;
  const rows: [string, string | number][] = [
    ['JIT', `on, after ${options.threshold} executions, ${where}`],
    ['code size', `${store.size}/${options.cacheBytes}`],
    ['regions', store.installed],
    ['regions made', s.regions],
    ['modules made', `${s.modules} (${s.threaded} by the other thread, ${inFlight} on the way)`],
    ['code made', `${s.codeBytes} bytes`],
    ['guest instructions', `${s.instructions} (${average(s.instructions, s.regions)} per region)`],
    ['refused', s.refused],
    ['invalidated', s.invalidated],
    ['came too late', s.late],
    ['evicted', s.evicted],
    ['time', `${ms(s.totalMs)}, ${ms(s.formMs)} of it to choose regions`],
    ['longest pause', ms(s.longestMs)],
    ['long pauses', `${s.longPauses} over ${LONG_PAUSE_MS} ms`],
  ];
  if (options.counters) {
    REGION_EXIT_NAMES.forEach((name, i) => {
      rows.push([`exits: ${name}`, u32[cellAddress('regionExits', i) >>> 2]!]);
    });
  }
  return rows.map(([name, value]) => `${name.padEnd(20)}${value}\n`).join('');
}

function average(sum: number, count: number): string {
  return count === 0 ? '0' : (sum / count).toFixed(1);
}

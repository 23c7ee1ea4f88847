import type { WasmMemory } from '@sterna/core';
import type { DecodeCache } from '../decode/decode-cache.ts';
import type { JitOptions } from '../jit/jit-options.ts';
import type { InstrumentMode } from './areas.ts';
import type { RegionCounts } from './region-counts.ts';

/** What instrumentation uses of the engine. */
export interface Instrumented {
  readonly cache: DecodeCache;
  readonly jit: {
    options: JitOptions;
    instructionAt(record: number): { readonly name: string; readonly transfers: boolean } | undefined;
  };
  /** Number of the vCPU that runs or ran last. */
  readonly currentIndex: number;
  replaceInterpreter(mode: InstrumentMode | undefined, counts?: RegionCounts, instrument?: WasmMemory): void;
}

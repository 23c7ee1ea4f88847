import type { TranslationOptions } from '@sterna/core';
import type { RegionTranslator } from './region-translator.ts';

/** How the JIT works. */
export interface JitOptions {
  /** Executions of a branch target in the interpreter after which it is translated; 0 switches translation off. */
  readonly threshold: number;
  /** Most bytes of translated code that are kept. */
  readonly cacheBytes: number;
  /** Counts why regions are left; for regions translated from then on. */
  readonly counters: boolean;
  /** Counts how often regions are entered. */
  readonly hotSpots: boolean;
}

/** What is used unless somebody says otherwise. */
export const JIT_DEFAULTS: JitOptions = { threshold: 8000, cacheBytes: 48 << 20, counters: false, hotSpots: false };

/** Threshold where another thread translates, so that a translation costs the guest little. */
export const THREADED_THRESHOLD = 3000;

/** What the JIT uses of the host; nothing by default. */
export interface JitHost {
  /** Translates beside the guest; without it the JIT translates between slices. */
  readonly translator?: RegionTranslator;
  /** Milliseconds of a host clock: for statistics, and to end pauses early. The guest sees nothing of it. */
  readonly now?: () => number;
}

/** Options of the JIT by what a machine says. */
export function jitOptions(options: TranslationOptions | undefined, threaded: boolean): JitOptions {
  const threshold = options?.threshold ?? (threaded ? THREADED_THRESHOLD : JIT_DEFAULTS.threshold);
  return {
    threshold: options?.enabled === false ? 0 : threshold,
    cacheBytes: options?.cacheBytes ?? JIT_DEFAULTS.cacheBytes,
    counters: options?.counters ?? JIT_DEFAULTS.counters,
    hotSpots: options?.hotSpots ?? JIT_DEFAULTS.hotSpots,
  };
}

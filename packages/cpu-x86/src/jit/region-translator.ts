import { type Service, service, type WasmModule } from '@sterna/core';
import type { CountOptions } from './print-region.ts';

/** Regions to be translated, self-contained: it can be sent to another thread. */
export interface TranslationJob {
  /** The regions, as `encodeRegions` writes them. The translator may take the memory away. */
  readonly regions: Int32Array<ArrayBuffer>;
  readonly count: CountOptions;
}

/** A compiled module; its functions are exported under the regions' numbers in the job. */
export interface TranslatedRegions {
  readonly module: WasmModule;
  /** Size of the module. */
  readonly bytes: number;
}

/** Translates regions beside the guest. */
export interface RegionTranslator {
  /** `starting`: jobs should wait. `failed`: it takes none and the CPU must translate by itself. */
  readonly state: 'starting' | 'ready' | 'failed';
  /**
   * Translates a job. `done` is called later, never while a guest runs; undefined when it
   * could not be done.
   */
  translate(job: TranslationJob, done: (result: TranslatedRegions | undefined) => void): void;
}
/** Who translates regions for x86 CPUs; without one they do it themselves, between slices. */
export const RegionTranslator: Service<RegionTranslator> = service('x86/RegionTranslator');

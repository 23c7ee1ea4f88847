/**
 * How guest code is translated, as after `-accel`. What is absent is the CPU's own choice; a CPU that does not translate
 * ignores all of it. Nothing here changes what a guest sees.
 */
export interface TranslationOptions {
  /** Whether code is translated at all; otherwise everything is interpreted. */
  readonly enabled?: boolean;
  /** Executions of a place in the interpreter after which it is translated; at least 1. */
  readonly threshold?: number;
  /** Most bytes of translated code that are kept. */
  readonly cacheBytes?: number;
  /** Whether a thread beside the guest's translates, where the host offers one. */
  readonly threaded?: boolean;
  /** Counts why translated code is left; it runs slower. */
  readonly counters?: boolean;
  /** Counts how often translated code is entered, for a list of hot spots; it runs slower. */
  readonly hotSpots?: boolean;
}

/** Translated code at a place of the guest, and how often it was entered. */
export interface HotSpot {
  /** Linear address it was translated for. */
  readonly address: bigint;
  /** Guest instructions in it. */
  readonly instructions: number;
  readonly entries: number;
}

/** The translator of a CPU as monitors see it; vCPUs of a machine may share one. */
export interface CpuTranslator {
  /** Text of `info jit`, lines ended by newline. */
  describe(): string;
  /** The places that were entered most often, most often first; empty unless {@link TranslationOptions.hotSpots} is set. */
  hotSpots(): readonly HotSpot[];
}

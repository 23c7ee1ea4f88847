import type { WasmModule } from '@sterna/core';
import type { TranslationJob } from '../jit/region-translator.ts';

/** To the thread: a job under a number. */
export interface JobMessage {
  readonly id: number;
  readonly job: TranslationJob;
}

/** From the thread: it is ready (`id` -1), or what became of a job. */
export type AnswerMessage =
  | { readonly id: number; readonly module?: WasmModule; readonly bytes?: number }
  | { readonly id: number; readonly error: string };

import type { HandlerSpec } from '../decode/handler-spec.ts';
import type { HandlerTables } from '../decode/handlers.ts';
import { Handler } from '../interp/records.ts';
import { type Effects, kindOfImmediate } from './effects.ts';
import { EFFECTS_WORDS, effectsWords, readEffects } from './effects-words.ts';
import { EffectsLearner } from './learn-effects.ts';

/** Custom section of the interpreter's module that has the effects of its handlers, as {@link learnEffects} writes them. */
export const EFFECTS_SECTION = 'effects';

/**
 * Tries all definitions, in code of 32 and of 64 bits and with both kinds of immediates, and writes down what they do: how many
 * different effects there are, the effects, then two bytes for each trial that say which of them it had.
 */
export function learnEffects(tables: HandlerTables): Uint8Array<ArrayBuffer> {
  const { handlers, hotEnd } = tables;
  const numbers = new Map<string, number>();
  const words: number[] = [];
  const trials = new Uint16Array(handlers.length * 4);
  [false, true].forEach((code64, mode) => {
    const learner = new EffectsLearner(code64, hotEnd);
    handlers.forEach((spec, i) => {
      // pairs are taken apart
      if (spec.first !== undefined) return;
      for (const kind of [0, 1] as const) {
        const at = (mode * handlers.length + i) * 2 + kind;
        if (kind === 1 || kindOfImmediate(spec, 0) === 0) {
          const found = effectsWords(learner.learn(spec, kind));
          const text = found.join();
          if (!numbers.has(text)) words.push(...found);
          numbers.set(text, numbers.get(text) ?? numbers.size);
          trials[at] = numbers.get(text)!;
        }
      }
    });
  });
  const all = new Int32Array([numbers.size, ...words]);
  const bytes = new Uint8Array(all.byteLength + trials.byteLength);
  bytes.set(new Uint8Array(all.buffer));
  bytes.set(new Uint8Array(trials.buffer), all.byteLength);
  return bytes;
}

/** What each instruction does in code of one size. */
export class EffectsTable {
  readonly #effects: readonly Effects[];
  readonly #trials: Uint16Array;

  /** @param learned what {@link learnEffects} wrote of the same handlers */
  constructor(learned: ArrayBuffer, handlers: number, code64: boolean) {
    const words = new Int32Array(learned, 0, Math.floor(learned.byteLength / 4));
    const count = words[0]!;
    this.#effects = Array.from({ length: count }, (_, i) => readEffects(words, 1 + i * EFFECTS_WORDS));
    this.#trials = new Uint16Array(learned, 4 + count * EFFECTS_WORDS * 4).subarray(code64 ? handlers * 2 : 0);
  }

  /** Effects of a handler; `imm` is the record's immediate. */
  of(spec: HandlerSpec, imm: number): Effects {
    const at = (spec.id - Handler.first) * 2 + kindOfImmediate(spec, imm);
    return this.#effects[this.#trials[at]!]!;
  }
}

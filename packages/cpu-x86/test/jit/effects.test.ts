import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { handlerTables } from '../../src/engine.ts';
import { kindOfImmediate } from '../../src/jit/effects.ts';
import { EffectsTable, learnEffects } from '../../src/jit/effects-table.ts';
import { effectsWords, readEffects } from '../../src/jit/effects-words.ts';
import { EffectsLearner } from '../../src/jit/learn-effects.ts';

const tables = handlerTables();
const single = tables.handlers.filter((spec) => spec.first === undefined);
const learned = learnEffects(tables).buffer;

describe.each([
  ['32', false],
  ['64', true],
] as const)('effects of instructions in code of %s bits', (_, code64) => {
  const table = new EffectsTable(learned, tables.handlers.length, code64);
  const learner = new EffectsLearner(code64, tables.hotEnd);

  it('are those of a trial with the same immediate', () => {
    fc.assert(
      fc.property(fc.constantFrom(...single), fc.integer({ min: -128, max: 255 }), (spec, imm) => {
        expect(table.of(spec, imm)).toEqual(learner.learn(spec, imm));
      }),
      { numRuns: 500 },
    );
  });

  it('depend on whether a count has bits that count', () => {
    for (const spec of single.filter(({ name }) => /^(rcl|shr|shld)$/.test(name)))
      for (const imm of [0, 31, 32, 33, 63, 64, 128, 255])
        expect(table.of(spec, imm)).toEqual(learner.learn(spec, imm));
  });
});

it('effects are the same as numbers', () => {
  const learner = new EffectsLearner(true, tables.hotEnd);
  for (const spec of single.filter((_, i) => i % 7 === 0)) {
    const effects = learner.learn(spec, 1);
    expect(readEffects(Int32Array.from([9, ...effectsWords(effects)]), 1)).toEqual(effects);
  }
});

it('an immediate of more than eight bits is a value', () => {
  const add = single.find(({ name, operands }) => name === 'add' && operands[1]?.kind === 'imm')!;
  expect(kindOfImmediate(add, 0)).toBe(1);
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Effects } from '../../src/jit/effects.ts';
import type { Block } from '../../src/jit/former.ts';
import { orderOf } from '../../src/jit/graph.ts';
import { flagLiveness, Live, longestPaths } from '../../src/jit/liveness.ts';

type Step = Pick<Effects, 'readsFlags' | 'readsCarry' | 'leaves' | 'setsFlags' | 'keepsCarry'>;

const NOTHING: Step = { readsFlags: false, readsCarry: false, leaves: false, setsFlags: false, keepsCarry: false };
const steps = fc.constantFrom<Step>(
  NOTHING,
  { ...NOTHING, readsFlags: true },
  { ...NOTHING, readsCarry: true },
  { ...NOTHING, leaves: true },
  { ...NOTHING, setsFlags: true },
  { ...NOTHING, setsFlags: true, leaves: true },
  { ...NOTHING, setsFlags: true, readsCarry: true },
  { ...NOTHING, setsFlags: true, keepsCarry: true },
);
const programs = fc.integer({ min: 1, max: 6 }).chain((count) =>
  fc.array(
    fc.record({
      steps: fc.array(steps, { maxLength: 4 }),
      next: fc.uniqueArray(fc.nat(count - 1), { maxLength: 2 }),
      exits: fc.boolean(),
    }),
    { minLength: count, maxLength: count },
  ),
);
type Program = typeof programs extends fc.Arbitrary<infer T> ? T : never;

function analysed(program: Program) {
  const edges = program.map(({ next }) => [...next]);
  const order = orderOf({
    count: program.length,
    successors: (b) => edges[b]!,
    cut: (from, to) => {
      edges[from] = edges[from]!.filter((s) => s !== to);
    },
  });
  const blocks = program.map((b) => ({ steps: b.steps.map((effects) => ({ effects })) })) as unknown as Block[];
  return { edges, order, blocks };
}

/** What somebody on some path from a block's start asks for, found by walking all paths. */
function asked(program: Program, edges: readonly (readonly number[])[], from: number): number {
  let found = 0;
  const seen = new Set<string>();
  // after an operation that keeps CF, whoever asks for anything asks for the CF before it
  const walk = (b: number, kept: boolean): void => {
    const key = `${b} ${kept}`;
    if (seen.has(key)) return;
    seen.add(key);
    let keeps = kept;
    for (const s of program[b]!.steps) {
      if (s.readsFlags || s.leaves) found |= keeps ? Live.carry : Live.all;
      if (s.readsCarry) found |= Live.carry;
      if (s.setsFlags && !s.keepsCarry) return;
      if (s.setsFlags) keeps = true;
    }
    if (program[b]!.exits) found |= keeps ? Live.carry : Live.all;
    for (const s of edges[b]!) walk(s, keeps);
  };
  walk(from, false);
  return found;
}

describe('liveness', () => {
  it('of flags is what some path asks for', () => {
    fc.assert(
      fc.property(programs, (program) => {
        const { edges, order, blocks } = analysed(program);
        const { before } = flagLiveness(
          blocks,
          order,
          (b) => edges[b]!,
          (b) => program[b]!.exits,
        );
        for (const b of order.order) expect(before[b]).toBe(asked(program, edges, b));
      }),
      { numRuns: 500 },
    );
  });

  it('of the budget is the longest way without a backward edge', () => {
    fc.assert(
      fc.property(programs, (program) => {
        const { edges, order, blocks } = analysed(program);
        const cost = longestPaths(blocks, order, (b) => edges[b]!);
        const longest = (b: number): number => {
          const onward = edges[b]!.filter((s) => order.position[s]! > order.position[b]!).map(longest);
          return program[b]!.steps.length + Math.max(0, ...onward);
        };
        for (const b of order.order) expect(cost[b]).toBe(longest(b));
      }),
      { numRuns: 200 },
    );
  });
});

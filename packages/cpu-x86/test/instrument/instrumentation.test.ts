import type { CountedInstruction } from '@sterna/core';
import { beforeAll, describe, expect, it } from 'vitest';
import { prepareInterpreter } from '../../src/node/index.ts';
import { ManualTranslator, restart, rigWith, runAll } from '../jit/translated.ts';
import type { Rig } from '../rig.ts';

beforeAll(() => prepareInterpreter());

const text = (counts: readonly CountedInstruction[]): string[] =>
  counts
    .map(
      ({ address, length, name, executions }) =>
        `${address.toString(16).padStart(5, '0')} ${name} ${length} ${executions}`,
    )
    .sort();
const sum = (counts: readonly CountedInstruction[]): number => counts.reduce((n, { executions }) => n + executions, 0);
/** Instructions of {@link runAll}'s answer. */
const executed = (state: string): number => Number.parseInt(state, 10);

/** The program's counts by a trace of the interpreter. */
function traced(): { counts: string[]; state: string; accesses: string[] } {
  const rig = rigWith({ threshold: 0 });
  const counts = new Map<string, number>();
  const accesses: string[] = [];
  using _ = rig.cpu.engine.instrumentation.trace({
    instruction: ({ address, length, name }) => {
      const key = `${address.toString(16).padStart(5, '0')} ${name} ${length}`;
      counts.set(key, (counts.get(key) ?? 0) + 1);
    },
    access: (low, high, bytes, isWrite) => void accesses.push(`${high}:${low.toString(16)} ${bytes} ${isWrite}`),
  });
  const state = runAll(rig);
  return { counts: [...counts].map(([key, n]) => `${key} ${n}`).sort(), state, accesses };
}

describe('counts', () => {
  const plain = (): string => runAll(rigWith({ threshold: 0 }));

  it.each([
    ['by the interpreter', 0],
    ['by regions', 20],
  ])('%s are those of a trace, and the guest sees nothing of it', (_, threshold) => {
    const rig = rigWith({ threshold });
    using counter = rig.cpu.engine.instrumentation.count();
    const state = runAll(rig);
    expect(state).toBe(plain());
    const counts = counter.read();
    expect(sum(counts)).toBe(executed(state));
    expect(text(counts)).toEqual(traced().counts);
    if (threshold > 0) expect(rig.cpu.engine.jit.statistics.regions).toBeGreaterThan(0);
  });

  it('of regions by another thread too, whose modules come late', () => {
    const translator = new ManualTranslator();
    const rig = rigWith({ threshold: 20 }, translator);
    using counter = rig.cpu.engine.instrumentation.count();
    let slices = 0;
    const state = runAll(rig, () => {
      if (++slices % 5 === 0) translator.answer();
    });
    expect(text(counter.read())).toEqual(traced().counts);
    expect(rig.cpu.engine.jit.statistics.threaded).toBeGreaterThan(0);
    expect(state).toBe(plain());
  });

  it('begin and end at any time, each for itself', () => {
    const rig = rigWith({ threshold: 20 });
    const { instrumentation } = rig.cpu.engine;
    const first = runAll(rig);
    using all = instrumentation.count();
    restart(rig);
    runAll(rig);
    const once = text(all.read());
    expect(once).toEqual(traced().counts);
    const second = instrumentation.count();
    restart(rig);
    expect(runAll(rig)).toBe(first);
    expect(text(second.read())).toEqual(once);
    second[Symbol.dispose]();
    expect(second.read()).toEqual([]);
    restart(rig);
    runAll(rig);
    expect(sum(all.read())).toBe(3 * executed(first));
  });

  it('cost nothing any more when they have ended', () => {
    const rig = rigWith({ threshold: 20 });
    const { engine } = rig.cpu;
    const before = engine.code;
    const counter = engine.instrumentation.count();
    runAll(rig);
    expect(engine.code).not.toBe(before);
    counter[Symbol.dispose]();
    restart(rig);
    expect(runAll(rig)).toBe(plain());
    // another instance of the very same module
    expect(Object.keys(engine.code)).toEqual(Object.keys(before));
    expect(engine.jit.statistics.regions).toBeGreaterThan(0);
  });

  it('outlive code that changes', () => {
    const rig: Rig = rigWith({ threshold: 20 });
    using counter = rig.cpu.engine.instrumentation.count();
    let slices = 0;
    const state = runAll(rig, () => {
      if (++slices % 7 === 0) rig.cpu.invalidateCode(rig.at(0x1000), 16);
      if (slices % 11 === 0) rig.cpu.invalidateCode(rig.at(0x2ff0), 64);
      if (slices % 50 === 0) rig.cpu.engine.cache.clear();
    });
    expect(state).toBe(plain());
    expect(text(counter.read())).toEqual(traced().counts);
  });
});

describe('traces', () => {
  it('tell of instructions and accesses, in order, and the guest sees nothing of it', () => {
    const { state, accesses } = traced();
    expect(state).toBe(runAll(rigWith({ threshold: 0 })));
    // the function's push, read-modify-write, pop, and the return
    expect(accesses.slice(0, 6)).toEqual([
      '0:8ff8 8 true',
      '0:8ff0 8 true',
      '0:8ff0 8 true',
      '0:8ff0 8 false',
      '0:8ff8 8 false',
      '0:8ff8 8 true',
    ]);
  });

  it('may count at the same time', () => {
    const rig = rigWith({ threshold: 20 });
    const { instrumentation } = rig.cpu.engine;
    using counter = instrumentation.count();
    let slices = 0;
    let trace: Disposable | undefined;
    runAll(rig, () => {
      slices++;
      if (slices === 10) trace = instrumentation.trace({ instruction: () => {} });
      if (slices === 20) trace?.[Symbol.dispose]();
    });
    expect(text(counter.read())).toEqual(traced().counts);
    expect(rig.cpu.engine.jit.options.threshold).toBe(20);
  });
});

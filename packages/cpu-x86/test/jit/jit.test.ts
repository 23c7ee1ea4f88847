import { beforeAll, describe, expect, it } from 'vitest';
import { prepareInterpreter } from '../../src/node/index.ts';
import { jitOf, ManualTranslator, restart, rigWith, runAll } from './translated.ts';

let expected = '';
beforeAll(() => {
  prepareInterpreter();
  expected = runAll(rigWith({ threshold: 0 }));
});

describe('translation between slices', () => {
  it('changes nothing that the guest sees', () => {
    const rig = rigWith({ threshold: 20 });
    expect(runAll(rig)).toBe(expected);
    expect(jitOf(rig).statistics.regions).toBeGreaterThanOrEqual(3);
    restart(rig);
    expect(runAll(rig)).toBe(expected);
  });

  it('drops regions whose code changes, and makes new ones', () => {
    const rig = rigWith({ threshold: 20 });
    runAll(rig);
    const jit = jitOf(rig);
    const made = jit.statistics.regions;
    expect(jit.statistics.invalidated).toBe(0);
    rig.cpu.invalidateCode(rig.at(0x1005), 1);
    expect(jit.statistics.invalidated).toBeGreaterThanOrEqual(1);
    restart(rig);
    expect(runAll(rig)).toBe(expected);
    expect(jit.statistics.regions).toBeGreaterThan(made);
  });

  it('keeps regions when other bytes of their pages change', () => {
    const rig = rigWith({ threshold: 20 });
    runAll(rig);
    rig.cpu.invalidateCode(rig.at(0x1800), 4);
    expect(jitOf(rig).statistics.invalidated).toBe(0);
  });

  it('drops a region of two pages when the second one changes', () => {
    const rig = rigWith({ threshold: 20 });
    runAll(rig);
    rig.cpu.invalidateCode(rig.at(0x3020), 1);
    expect(jitOf(rig).statistics.invalidated).toBeGreaterThanOrEqual(1);
    restart(rig);
    expect(runAll(rig)).toBe(expected);
  });

  it('removes the oldest regions when the code is too large', () => {
    const rig = rigWith({ threshold: 20, cacheBytes: 1500 });
    expect(runAll(rig)).toBe(expected);
    expect(jitOf(rig).statistics.evicted).toBeGreaterThan(0);
    restart(rig);
    expect(runAll(rig)).toBe(expected);
    expect(jitOf(rig).describe()).toMatch(/^code size +\d{1,4}\/1500$/m);
  });

  it('ends when it is switched off or disposed of, and the interpreter goes on', () => {
    for (const end of ['off', 'dispose'] as const) {
      const rig = rigWith({ threshold: 20 });
      const jit = jitOf(rig);
      let slices = 0;
      const text = runAll(rig, () => {
        if (++slices !== 30) return;
        expect(jit.statistics.regions).toBeGreaterThan(0);
        if (end === 'off') jit.options = { ...jit.options, threshold: 0 };
        else jit.dispose();
      });
      expect(text).toBe(expected);
      const made = jit.statistics.regions;
      expect(jit.describe()).toMatch(/JIT: off/);
      restart(rig);
      expect(runAll(rig)).toBe(expected);
      expect(jit.statistics.regions).toBe(made);
    }
  });

  it('counts exits and entries only when asked to', () => {
    const counting = rigWith({ threshold: 20, counters: true, hotSpots: true });
    expect(runAll(counting)).toBe(expected);
    expect(jitOf(counting).describe()).toMatch(/^exits: budget +[1-9]/m);
    const [spot] = jitOf(counting).hotSpots();
    expect(spot!.entries).toBeGreaterThan(0);
    expect(Number(spot!.address)).toBeGreaterThanOrEqual(0x1000);
    expect(Number(spot!.address)).toBeLessThan(0x6000);
    const plain = rigWith({ threshold: 20 });
    runAll(plain);
    expect(jitOf(plain).describe()).not.toMatch(/exits/);
    expect(jitOf(plain).hotSpots()).toEqual([]);
  });
});

describe('translation elsewhere', () => {
  it('is used when it comes', () => {
    const translator = new ManualTranslator();
    const rig = rigWith({ threshold: 20 }, translator);
    expect(runAll(rig, () => translator.answer())).toBe(expected);
    const { statistics } = jitOf(rig);
    expect(statistics.threaded).toBeGreaterThan(0);
    expect(statistics.threaded).toBe(statistics.modules);
    expect(statistics.regions).toBeGreaterThan(0);
  });

  it('comes too late for code that changed', () => {
    const translator = new ManualTranslator();
    const rig = rigWith({ threshold: 20 }, translator);
    expect(runAll(rig)).toBe(expected);
    expect(translator.jobs.length).toBeGreaterThan(0);
    rig.cpu.invalidateCode(rig.at(0x1005), 1);
    rig.cpu.engine.cache.clear();
    translator.answer();
    const { statistics } = jitOf(rig);
    expect(statistics.regions).toBe(0);
    expect(statistics.late).toBeGreaterThan(0);
    // the places become hot again
    restart(rig);
    expect(runAll(rig, () => translator.answer())).toBe(expected);
    expect(statistics.regions).toBeGreaterThan(0);
  });

  it('is done here when the other side fails', () => {
    const translator = new ManualTranslator();
    const rig = rigWith({ threshold: 20 }, translator);
    runAll(rig);
    translator.state = 'failed';
    for (const { done } of translator.jobs.splice(0)) done(undefined);
    restart(rig);
    expect(runAll(rig)).toBe(expected);
    const { statistics } = jitOf(rig);
    expect(statistics.regions).toBeGreaterThan(0);
    expect(statistics.threaded).toBe(0);
  });

  it('is waited for while it starts', () => {
    const translator = new ManualTranslator();
    translator.state = 'starting';
    const rig = rigWith({ threshold: 20 }, translator);
    expect(runAll(rig)).toBe(expected);
    expect(translator.jobs).toEqual([]);
    expect(jitOf(rig).statistics.regions).toBe(0);
    translator.state = 'ready';
    restart(rig);
    expect(runAll(rig, () => translator.answer())).toBe(expected);
    expect(jitOf(rig).statistics.regions).toBeGreaterThan(0);
  });

  it('is ignored after the end', () => {
    const translator = new ManualTranslator();
    const rig = rigWith({ threshold: 20 }, translator);
    runAll(rig);
    jitOf(rig).dispose();
    translator.answer();
    expect(jitOf(rig).statistics.regions).toBe(0);
    restart(rig);
    expect(runAll(rig)).toBe(expected);
  });
});

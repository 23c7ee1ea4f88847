import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { prepareInterpreter, startTranslator } from '../../src/node/index.ts';
import { jitOf, restart, rigWith, runAll } from '../jit/translated.ts';

beforeAll(() => prepareInterpreter());

async function until(condition: () => boolean): Promise<void> {
  for (let n = 0; !condition(); n++) {
    if (n > 3000) throw new Error('it did not happen');
    await sleep(10);
  }
}

describe('translator in a thread', () => {
  it('makes regions that do what the interpreter does', { timeout: 60_000 }, async () => {
    const expected = runAll(rigWith({ threshold: 0 }));
    const warnings: string[] = [];
    using translator = startTranslator((text) => void warnings.push(text));
    expect(translator.state).toBe('starting');
    await until(() => translator.state !== 'starting');
    expect(warnings).toEqual([]);
    const rig = rigWith({ threshold: 20 }, translator);
    const { statistics } = jitOf(rig);
    expect(runAll(rig)).toBe(expected);
    await until(() => statistics.regions > 0);
    restart(rig);
    expect(runAll(rig)).toBe(expected);
    expect(statistics.threaded).toBeGreaterThan(0);
    expect(warnings).toEqual([]);
  });

  it('answers what it has when it is disposed of, and is then of no use', { timeout: 60_000 }, async () => {
    const warnings: string[] = [];
    const translator = startTranslator((text) => void warnings.push(text));
    await until(() => translator.state !== 'starting');
    const results: unknown[] = [];
    translator.translate(
      { regions: new Int32Array([0, 0]), count: { exits: false, entries: false, blocks: false } },
      (result) => results.push(result),
    );
    translator[Symbol.dispose]();
    expect(results).toEqual([undefined]);
    expect(translator.state).toBe('failed');
    expect(warnings).toEqual([]);
  });

  it('says so when a job cannot be done', { timeout: 60_000 }, async () => {
    const warnings: string[] = [];
    using translator = startTranslator((text) => void warnings.push(text));
    await until(() => translator.state !== 'starting');
    const results: unknown[] = [];
    // one region whose only block has an instruction of no known handler
    const regions = new Int32Array([
      1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 16, 2, 1, 32, 1, 0, 4096, 0, 1, 0, 0, 1, 16, 0, 0x7fff_fff0,
    ]);
    translator.translate({ regions, count: { exits: false, entries: false, blocks: false } }, (result) =>
      results.push(result),
    );
    await until(() => results.length > 0);
    expect(results).toEqual([undefined]);
    expect(translator.state).toBe('failed');
    expect(warnings).toHaveLength(1);
  });
});

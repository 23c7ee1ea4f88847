import { describe, expect, it } from 'vitest';
import { OracleBench } from './oracle/bench.ts';
import { generate, oracleAvailable } from './oracle/generate.ts';
import { readVectors } from './oracle/vectors.ts';

const available = oracleAvailable();

describe('the host processor as oracle', () => {
  it('is there in continuous integration', () => {
    if (process.env['CI'] !== undefined)
      expect(available, 'needs ../shared/tools/native-oracle, gcc and python3 on x86-64 Linux').toBe(true);
  });
  it.skipIf(!available)('agrees with every integer vector', { timeout: 120_000 }, () => {
    const { nov, nor } = generate({ count: 6000, seed: 2026, isa: 'x86' });
    const bench = new OracleBench();
    const wrong: string[] = [];
    for (const v of readVectors(nov, nor)) {
      const difference = bench.run(v);
      // runs of instructions that end in a fault can show flags that were undefined before it
      if (difference !== '' && !(v.name === 'seq' && /^flags[^,]*$/.test(difference)))
        wrong.push(`${v.name} #${v.id} ${v.mode}-bit: ${difference}`);
    }
    expect(wrong).toEqual([]);
  });
});

import { describe, expect, it } from 'vitest';
import { OracleBench } from './bench.ts';
import { generate, oracleAvailable } from './generate.ts';
import { readVectors } from './vectors.ts';

const COUNT = 20_000;
const SEED = 2026;
const available = oracleAvailable() || Boolean(process.env['CI']);
const reason = available ? '' : '(needs ../shared/tools/native-oracle, gcc and Python on an x86-64 Linux host)';

describe('the base instruction set against the host processor', () => {
  it.skipIf(!available)(
    `at least 99.95 % of ${COUNT} vectors (seed ${SEED}) are exact ${reason}`,
    { timeout: 300_000 },
    () => {
      const { nov, nor } = generate({ count: COUNT, seed: SEED, isa: 'x86,x87,mmx,sse2' });
      const bench = new OracleBench();
      const wrong: string[] = [];
      let total = 0;
      for (const vector of readVectors(nov, nor)) {
        total++;
        const difference = bench.run(vector);
        if (difference !== '') wrong.push(`${vector.name} #${vector.id}, ${vector.mode}-bit: ${difference}`);
      }
      console.log(`${total} vectors, ${wrong.length} differ, ${(100 * (1 - wrong.length / total)).toFixed(3)} % exact`);
      expect(total).toBeGreaterThan(COUNT * 0.95);
      expect(wrong.length / total, wrong.slice(0, 20).join('\n')).toBeLessThan(0.0005);
    },
  );
});

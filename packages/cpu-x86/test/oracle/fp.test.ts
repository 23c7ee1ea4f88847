import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { OracleBench } from './bench.ts';
import { generate, oracleAvailable } from './generate.ts';
import { readVectors } from './vectors.ts';

/** Undefined results are those of AMD processors, so others cannot judge. */
const vendor = process.platform === 'linux' && /AuthenticAMD/.test(readFileSync('/proc/cpuinfo', 'latin1'));
const tools = oracleAvailable();
const reason = !tools
  ? '(needs ../shared/tools/native-oracle, gcc and Python on an x86-64 Linux host)'
  : vendor
    ? ''
    : '(needs an AMD processor)';
const skip = tools ? !vendor : !process.env['CI'];

describe('floating point and SIMD against the host processor', () => {
  it.skipIf(skip)(`x87, MMX, SSE to SSE4.2 ${reason}`, { timeout: 60_000 }, () => {
    expect(reason).toBe('');
    const bench = new OracleBench();
    for (const [isa, only, count] of [
      ['x87,mmx,sse2', '.', 12000],
      ['ssse3,sse41,sse42', '.', 8000],
    ] as const) {
      const { nov, nor } = generate({ count, seed: 4, isa, only });
      const wrong: string[] = [];
      for (const v of readVectors(nov, nor)) {
        const difference = bench.run(v);
        if (difference !== '') wrong.push(`${v.name} #${v.id}: ${difference}`);
      }
      expect(wrong).toEqual([]);
    }
  });
});

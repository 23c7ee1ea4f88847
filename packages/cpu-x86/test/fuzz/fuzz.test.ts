import { describe, expect, it } from 'vitest';
import { ENGINES, fuzz } from './fuzz.ts';
import { report } from './report.ts';

const SEED = 20_260_000;
/** `STERNA_FUZZ_SEED` chooses other programs. */
const seed = Number(process.env['STERNA_FUZZ_SEED'] ?? SEED);
const long = process.env['STERNA_LONG'] === '1';
/** Programs on translating processors are slow: nearly all of the time goes into compiling regions. */
const COUNTS = { interp: long ? 30_000 : 600, jit: long ? 4000 : 60, 'jit-late': long ? 2000 : 30 } as const;

describe('random programs', () => {
  for (const [name, count] of Object.entries(COUNTS)) {
    const what = { interp: 'whatever the slices', jit: 'translated and interpreted', 'jit-late': 'translated later' }[
      name
    ];
    it(`end in the same state, ${what}: ${count} programs, seed ${seed}`, { timeout: 1_800_000 }, () => {
      const candidate = ENGINES[name]!;
      const { failures, programs } = fuzz({ seed, programs: count, candidate, candidateName: name });
      expect(failures.map(report)).toEqual([]);
      expect(programs).toBe(count);
    });
  }
});

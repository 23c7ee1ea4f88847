import { describe, expect, it } from 'vitest';
import { ENGINES, fuzz } from './fuzz.ts';
import { report } from './report.ts';

const SEED = 20_260_000;
/** `STERNA_FUZZ_SEED` chooses other programs. */
const seed = Number(process.env['STERNA_FUZZ_SEED'] ?? SEED);
const long = process.env['STERNA_LONG'] === '1';

describe('random programs', () => {
  const count = long ? 30_000 : 1000;
  it(`end in the same state whatever the slices: ${count} programs, seed ${seed}`, { timeout: 600_000 }, () => {
    const candidate = ENGINES['interp']!;
    const { failures, programs } = fuzz({ seed, programs: count, candidate, candidateName: 'interp' });
    expect(failures.map(report)).toEqual([]);
    expect(programs).toBe(count);
  });
});

import { describe, expect, it } from 'vitest';
import { chunksOf, compare } from './compare.ts';
import { oracleAvailable } from './generate.ts';
import { GROUPS } from './groups.ts';

const COUNT = process.env['STERNA_LONG'] === '1' ? 100_000 : 2_000;
const SEED = 70_000;
const available = oracleAvailable() || Boolean(process.env['CI']);
const reason = available ? '' : '(needs ../shared/tools/native-oracle, gcc and Python on an x86-64 Linux host)';

describe('translated code against the host processor', () => {
  it.skipIf(!available)(
    `at least 99.95 % of ${COUNT} vectors of all groups (seeds from ${SEED}) are exact ${reason}`,
    { timeout: 1_800_000 },
    () => {
      const wrong: string[] = [];
      let total = 0;
      let translated = 0;
      for (const { group, seed, count } of chunksOf(GROUPS, COUNT, SEED)) {
        const { isa, only, max } = group;
        const options = { count, seed, ...(isa === undefined ? {} : { isa }), ...(only === undefined ? {} : { only }) };
        const result = compare(options, max === true, 'on', COUNT <= 10_000);
        total += result.total;
        translated += result.translated;
        wrong.push(...result.wrong.map(({ name, text }) => `${name} ${text}`));
      }
      expect(total).toBeGreaterThanOrEqual(COUNT);
      // 16-bit code and what faults at once is not
      expect(translated / total).toBeGreaterThan(0.5);
      expect(wrong.length / total, wrong.slice(0, 20).join('\n')).toBeLessThan(0.0005);
    },
  );
});

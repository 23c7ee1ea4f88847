import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { oracleAvailable } from './generate.ts';

const COUNT = 2_000_000;
const SEED = 2026;
const available = oracleAvailable() || Boolean(process.env['CI']);
const reason = available ? '' : '(needs ../shared/tools/native-oracle, gcc and Python on an x86-64 Linux host)';

describe('every group of instructions against the host processor', () => {
  it.skipIf(!available)(
    `at least 99.95 % of ${COUNT} vectors (seeds from ${SEED}) are exact ${reason}`,
    { timeout: 3_600_000 },
    () => {
      const args = ['--count', String(COUNT), '--seed', String(SEED), '--jobs', '2'];
      const run = [join(import.meta.dirname, 'run.ts'), ...args];
      const text = execFileSync(process.execPath, ['-C', '@sterna/source', ...run], { encoding: 'utf8' });
      console.log(text);
      const groups = [...text.matchAll(/^(\S+) +(\d+) vectors +(\d+) differ/gm)];
      expect(groups.length).toBeGreaterThan(12);
      for (const [, name, total, differ] of groups) {
        expect(Number(differ) / Number(total), `share of differences of ${name}`).toBeLessThan(0.0005);
      }
      expect(Number(groups.at(-1)![2])).toBeGreaterThanOrEqual(COUNT);
    },
  );
});

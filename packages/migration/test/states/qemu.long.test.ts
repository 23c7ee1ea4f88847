import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { qemuMissing } from '../support/qemu.ts';
import { QEMUS, qemuBench } from './qemu-bench.ts';
import { type Outcome, observe, SCENARIOS } from './scenarios.ts';

/** With STERNA_RECORD=1 what the QEMUs do becomes the record. */
const RECORD = process.env['STERNA_RECORD'] === '1';
const file = new URL('./qemu-states.json', import.meta.url);
const recorded = JSON.parse(await readFile(file, 'utf8').catch(() => '{}')) as Record<
  string,
  Record<string, Record<string, Outcome>>
>;

afterAll(async () => {
  if (RECORD) await writeFile(file, `${JSON.stringify(recorded, null, 2)}\n`);
});

const missing = qemuMissing ?? (QEMUS.length === 0 ? 'neither QEMU 7.2 nor 11.1 is here' : undefined);

describe.skipIf(missing !== undefined)(
  `the record is what QEMUs do${missing === undefined ? '' : ` (${missing})`}`,
  () => {
    describe.each(QEMUS)('%s', (name, program) => {
      const scenarios = SCENARIOS.filter(({ not72 }) => not72 !== true || name !== 'qemu-7.2');
      test.each(scenarios.map((scenario) => [scenario.name, scenario] as const))(
        '%s',
        async (title, scenario) => {
          const directory = await mkdtemp(join(tmpdir(), 'sterna-states-'));
          const bench = qemuBench(program, directory);
          try {
            const outcome = await observe(scenario, bench);
            if (RECORD) {
              recorded[name] ??= {};
              recorded[name][title] = outcome;
            } else expect(outcome).toEqual(recorded[name]?.[title]);
          } finally {
            bench.close();
            await rm(directory, { recursive: true });
          }
        },
        60_000,
      );
    });
  },
);

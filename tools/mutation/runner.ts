/**
 * Runs the suite for one mutant after the other in one vitest, for {@link file://./run.ts}, which ends this process when a
 * mutant never ends. Messages in: a mutant or null for the unchanged sources. Out: an {@link Answer}.
 */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createVitest } from 'vitest/node';
import { apply, type Mutant } from './mutants.ts';

/** What a run of the suite came to. */
export interface Answer {
  /** Files and tests that failed. */
  readonly failures: readonly string[];
  readonly ms: number;
}

const root = join(import.meta.dirname, '../..');
const include = process.argv.slice(2);
let mutant: Mutant | null = null;
const conditions = ['@sterna/source'];

const vitest = await createVitest(
  'test',
  {
    root,
    config: false,
    watch: false,
    bail: 1,
    pool: 'threads',
    maxWorkers: 1,
    isolate: false,
    include,
    // Broken streams by chance: long, and what they find the others find too.
    exclude: ['**/*.long.test.ts', '**/fuzz.test.ts', '**/node_modules/**'],
    // Whoever started this process has the clock.
    testTimeout: 600_000,
    reporters: [{ onInit() {} }],
    env: { STERNA_MUTATION: '1' },
  },
  {
    resolve: { conditions },
    ssr: { resolve: { conditions } },
    plugins: [
      {
        name: 'mutant',
        enforce: 'pre',
        load(id) {
          const file = id.split('?')[0]!;
          return mutant !== null && join(root, mutant.file) === file
            ? apply(readFileSync(file, 'utf8'), mutant)
            : undefined;
        },
      },
    ],
  },
);

async function run(next: Mutant | null): Promise<Answer> {
  if (mutant !== null) vitest.invalidateFile(join(root, mutant.file));
  mutant = next;
  if (mutant !== null) vitest.invalidateFile(join(root, mutant.file));
  const began = performance.now();
  const { testModules, unhandledErrors } = await vitest.runTestSpecifications(await vitest.globTestSpecifications());
  const broken = testModules.filter((module) => module.state() === 'failed');
  const names = broken.flatMap((module) => [...module.children.allTests('failed')].map(({ fullName }) => fullName));
  const files = broken.map(({ relativeModuleId }) => relativeModuleId);
  const errors = unhandledErrors.map((error) => String((error as Error).message));
  return { failures: [...files, ...names, ...errors], ms: performance.now() - began };
}

process.on('message', async (next: Mutant | null) => {
  process.send!(await run(next));
});
process.send!('ready');

/**
 * Runs the suite for one mutant after the other, for {@link file://./run.ts}, which ends this process when a
 * mutant never ends. Arguments: a copy of the workspace, and the tests. Messages in: a mutant or null for the unchanged sources. Out: an {@link Answer}.
 */

import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createVitest } from 'vitest/node';
import { apply, type Mutant } from './mutants.ts';

/** What a run of the suite came to. */
export interface Answer {
  /** Files and tests that failed. */
  readonly failures: readonly string[];
  readonly ms: number;
}

const [root = '', ...include] = process.argv.slice(2);
const conditions = ['@sterna/source'];

/** A vitest of its own for each mutant: one that goes on keeps modules that it has evaluated. */
async function suite(): Promise<Answer> {
  const began = performance.now();
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
      exclude: ['**/*.long.test.ts', '**/fuzz.test.ts'],
      // Whoever started this process has the clock.
      testTimeout: 600_000,
      reporters: [{ onInit() {} }],
      env: { STERNA_MUTATION: '1' },
    },
    { resolve: { conditions }, ssr: { resolve: { conditions } } },
  );
  const { testModules, unhandledErrors } = await vitest.runTestSpecifications(await vitest.globTestSpecifications());
  const broken = testModules.filter((module) => module.state() === 'failed');
  const names = broken.flatMap((module) => [...module.children.allTests('failed')].map(({ fullName }) => fullName));
  const files = broken.map(({ relativeModuleId }) => relativeModuleId);
  const errors = unhandledErrors.map((error) => String((error as Error).message));
  await vitest.close();
  const none = testModules.length === 0 ? ['no test was found'] : [];
  return { failures: [...none, ...files, ...names, ...errors], ms: performance.now() - began };
}

async function run(mutant: Mutant | null): Promise<Answer> {
  if (mutant === null) return suite();
  const file = join(root, mutant.file);
  const text = readFileSync(file, 'utf8');
  writeFileSync(file, apply(text, mutant));
  const answer = await suite();
  writeFileSync(file, text);
  return answer;
}

process.on('message', async (next: Mutant | null) => {
  process.send!(await run(next));
});
process.send!('ready');

/**
 * `npm run coverage -- packages/NAME [--least=PERCENT]`: the unit tests of one package with the lines of its sources
 * that they reach. Fails below the percentage, by default the package's own in the table below. A page with every
 * line goes to `node_modules/.cache/sterna/coverage`.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

interface Summary {
  readonly [file: string]: {
    readonly lines: { readonly total: number; readonly covered: number; readonly pct: number };
  };
}

/** Percentages of lines that must be reached. */
const LEAST: Readonly<Record<string, number>> = { 'packages/migration': 95 };
/** Files below this are listed. */
const LISTED_BELOW = 95;

const root = join(import.meta.dirname, '..');
const { positionals, values } = parseArgs({ allowPositionals: true, options: { least: { type: 'string' } } });
const folder = (positionals[0] ?? '').replace(/\/$/, '');
if (!existsSync(join(root, folder, 'src'))) {
  console.error('usage: npm run coverage -- packages/NAME [--least=PERCENT]');
  process.exit(2);
}
const out = join(root, 'node_modules/.cache/sterna/coverage', folder);
const summaryFile = join(out, 'coverage-summary.json');
const { status } = spawnSync(
  process.execPath,
  [
    '-C',
    '@sterna/source',
    join(root, 'node_modules/vitest/vitest.mjs'),
    'run',
    '--project=unit',
    '--reporter=default',
    '--coverage.enabled',
    '--coverage.provider=v8',
    `--coverage.include=${folder}/src/**/*.ts`,
    `--coverage.reportsDirectory=${out}`,
    '--coverage.reporter=json-summary',
    '--coverage.reporter=json',
    '--coverage.reporter=html',
    '--coverage.reportOnFailure',
    `${folder}/test/`,
  ],
  { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] },
);
if (!existsSync(summaryFile)) process.exit(status ?? 1);
const summary = JSON.parse(readFileSync(summaryFile, 'utf8')) as Summary;
const { total, ...files } = summary;
for (const [file, { lines }] of Object.entries(files).sort(([, a], [, b]) => a.lines.pct - b.lines.pct)) {
  if (lines.total > 0 && lines.pct < LISTED_BELOW)
    console.log(
      `${lines.pct.toFixed(1).padStart(6)} %  ${lines.total - lines.covered} lines missing  ${file.slice(root.length + 1)}`,
    );
}
const reached = total!.lines.pct;
const least = Number(values.least ?? LEAST[folder] ?? 0);
console.log(`${folder}: ${reached} % of ${total!.lines.total} lines, at least ${least} % wanted`);
if (status !== 0) console.error('coverage: tests have failed');
process.exitCode = status !== 0 || reached < least ? 1 : 0;

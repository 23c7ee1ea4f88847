/**
 * `npm test`: installs the peers where that is possible, runs the suites and ends with one line of counts.
 * `--long` runs the larger counts and the slow suites too.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

interface AssertionResult {
  readonly status: string;
  readonly fullName: string;
}
interface Report {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numFailedTestSuites: number;
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly assertionResults: readonly AssertionResult[];
  }[];
}

const root = join(import.meta.dirname, '..');
const long = process.argv.includes('--long');
const ci = process.env['CI'] !== undefined && process.env['CI'] !== '';

function installPeers(): void {
  const canInstall = process.getuid?.() === 0 && spawnSync('sh', ['-c', 'command -v apt-get']).status === 0;
  if (!canInstall) {
    console.log('peers: not root with apt, so tests that need QEMU, nasm or a Debian kernel are skipped');
    return;
  }
  const { status } = spawnSync('sh', [join(root, 'tools/peers/install.sh'), '--newest'], { stdio: 'inherit' });
  if (status !== 0) console.log(`peers: installation failed with status ${status}`);
}

installPeers();
const out = mkdtempSync(join(tmpdir(), 'sterna-test-'));
const reportFile = join(out, 'report.json');
const vitest = join(root, 'node_modules/vitest/vitest.mjs');
const { status } = spawnSync(
  process.execPath,
  ['-C', '@sterna/source', vitest, 'run', '--reporter=default', '--reporter=json', `--outputFile.json=${reportFile}`],
  {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { ...process.env, ...(long ? { STERNA_LONG: '1' } : {}) },
  },
);
if (!existsSync(reportFile)) {
  console.log('0 passed, 1 failed');
  process.exit(status ?? 1);
}
const report = JSON.parse(readFileSync(reportFile, 'utf8')) as Report;
rmSync(out, { recursive: true });
const skipped = report.testResults.flatMap(({ name, assertionResults }) =>
  assertionResults
    .filter((test) => !['passed', 'failed'].includes(test.status))
    .map((test) => `${name.slice(root.length + 1)}: ${test.fullName}`),
);
// A file that fails to load has no assertions; it must still count.
const brokenFiles = report.testResults.filter(
  (file) => file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'),
).length;
const failed = report.numFailedTests + brokenFiles;
if (skipped.length > 0) {
  console.log(`\nskipped (${skipped.length}${ci ? ', which fails with CI set' : ''}):`);
  for (const name of skipped) console.log(`  ${name}`);
}
console.log(`${report.numPassedTests} passed, ${failed} failed, ${skipped.length} skipped`);
process.exitCode = failed > 0 || status !== 0 || (ci && skipped.length > 0) ? 1 : 0;

/** `npm run check`: format, lint, types by both compilers, dependency rules, docs validation, tests; stops at the first failure. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';

const root = join(import.meta.dirname, '..');
const bin = (name: string): string => join(root, 'node_modules/.bin', name);
// Tools whose first line asks for `node` get the workspace's, also when this file is not run by npm.
const env = { ...process.env, PATH: `${join(root, 'node_modules/.bin')}${delimiter}${process.env['PATH'] ?? ''}` };
const testConfigs = ['packages', 'plugins']
  .flatMap((folder) => readdirSync(join(root, folder)).map((name) => join(folder, name, 'tsconfig.test.json')))
  .filter((path) => existsSync(join(root, path)));

const steps: readonly (readonly [name: string, command: string, ...args: string[]])[] = [
  ['format and lint', bin('biome'), 'check', '.'],
  ['types (TypeScript 6)', bin('tsc'), '-b'],
  [
    'types (TypeScript 7)',
    process.execPath,
    join(root, 'node_modules/typescript-7/bin/tsc'),
    '-p',
    'tsconfig.check.json',
  ],
  ...testConfigs.map((path) => [`types of ${path}`, bin('tsc'), '-p', path] as const),
  ['types of tools, tests and samples', bin('tsc'), '-p', 'tsconfig.tools.json'],
  ['packages', process.execPath, join(root, 'tools/packages.ts')],
  ['API report', process.execPath, '-C', '@sterna/source', join(root, 'tools/api-report.ts'), '--check'],
  ['dependency rules', bin('depcruise'), 'packages', 'plugins'],
  ['generated reference pages', process.execPath, '-C', '@sterna/source', join(root, 'tools/reference.ts'), '--check'],
  ['docs', bin('typedoc')],
  ['tests', process.execPath, '-C', '@sterna/source', join(root, 'tools/test.ts')],
];

for (const [name, command, ...args] of steps) {
  if (process.argv.includes('--no-tests') && name === 'tests') continue;
  console.log(`\n== ${name}`);
  const { status } = spawnSync(command, args, { cwd: root, env, stdio: 'inherit' });
  if (status !== 0) {
    console.error(`check: '${name}' failed`);
    process.exit(status ?? 1);
  }
}
console.log('\ncheck: all steps passed');

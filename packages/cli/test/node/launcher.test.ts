import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';

const BIN = join(import.meta.dirname, '../../bin');
let dir: string;
/** An installed package with a program in place of Node that prints how it was called. */
let pkg: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'sterna launcher-'));
  pkg = join(dir, 'project/node_modules/@sterna/cli');
  cpSync(BIN, join(pkg, 'bin'), { recursive: true });
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function script(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `#!/bin/sh\n${text}\n`);
  chmodSync(path, 0o755);
}

function fakeNode(path: string, version: string): void {
  script(path, `if [ "$1" = -p ]; then echo ${version}; else printf '%s\\n' "${version} $$" "$@"; fi`);
}

function run(command: string, path = '/usr/bin:/bin') {
  const result = spawnSync(command, ['-M', 'a b'], { encoding: 'utf8', cwd: dir, env: { PATH: path } });
  return { ...result, lines: result.stdout.split('\n') };
}

it.each(['sterna', 'sterna-system-x86_64'])('%s becomes the node of its project, through links', (name) => {
  fakeNode(join(dir, 'project/node_modules/node/bin/node'), '26.9.0');
  mkdirSync(join(dir, 'project/node_modules/.bin'));
  symlinkSync(`../@sterna/cli/bin/${name}`, join(dir, 'project/node_modules/.bin', name));
  symlinkSync('project', join(dir, 'link'));
  const { lines, pid } = run(join(dir, 'link/node_modules/.bin', name));
  const entry = name === 'sterna' ? 'sterna.js' : 'sterna-system.js';
  expect(lines.slice(0, 5)).toEqual([`26.9.0 ${pid}`, '--v8-pool-size=0', join(pkg, 'dist/node', entry), '-M', 'a b']);
});

it("takes the package's own node first", () => {
  fakeNode(join(dir, 'project/node_modules/node/bin/node'), '24.0.0');
  fakeNode(join(pkg, 'node_modules/node/bin/node'), '26.9.0');
  expect(run(join(pkg, 'bin/sterna')).lines[0]).toMatch(/^26\.9\.0 /);
});

it('runs the sources in the repository, with the source condition', () => {
  fakeNode(join(pkg, 'node_modules/node/bin/node'), '26.9.0');
  script(join(pkg, 'src/node/sterna.ts'), '');
  expect(run(join(pkg, 'bin/sterna')).lines.slice(1, 5)).toEqual([
    '--v8-pool-size=0',
    '-C',
    '@sterna/source',
    join(pkg, 'src/node/sterna.ts'),
  ]);
});

it("falls back on the system's node when it is new enough", () => {
  fakeNode(join(dir, 'system/node'), '24.1.0');
  const path = `${join(dir, 'system')}:/usr/bin:/bin`;
  expect(run(join(pkg, 'bin/sterna'), path).lines[0]).toMatch(/^24\.1\.0 /);
  fakeNode(join(dir, 'system/node'), '20.20.2');
  expect(run(join(pkg, 'bin/sterna'), path)).toMatchObject({
    status: 1,
    stdout: '',
    stderr: expect.stringMatching(/^sterna: Node 24 or newer is needed \(found: 20\.20\.2\).*\n$/),
  });
});

it('is found through PATH too', () => {
  fakeNode(join(pkg, 'node_modules/node/bin/node'), '26.9.0');
  const result = spawnSync('sh', ['-c', 'sterna'], {
    encoding: 'utf8',
    env: { PATH: `${join(pkg, 'bin')}:/usr/bin:/bin` },
  });
  expect(result.stdout).toMatch(/^26\.9\.0 /);
});

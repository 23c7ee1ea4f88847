import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, expect, it } from 'vitest';

// The loader works on Node's own module loader, so it runs in a plain Node and not in the test runner's.
let dir: string;
const NODE = join(import.meta.dirname, '../../../../../node_modules/.bin/node');

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'sterna-plugin-'));
  const file = (name: string, text: string) => {
    mkdirSync(join(dir, name, '..'), { recursive: true });
    writeFileSync(join(dir, name), text);
  };
  const device = (name: string) =>
    `import { defineDevice, definePlugin } from '@sterna/core';
     const dev = defineDevice({ name: '${name}', bus: 'sysbus', description: 'd', vmstate: 'stateless', create: () => ({}) });
     export default definePlugin({ name: '${name}-plugin', devices: [dev] });`;
  file('good.ts', `${device('good')} const typed: number = 1; void typed;`);
  file('none.ts', 'export const x = 1;');
  file('syntax.ts', 'export default {{');
  file('throws.ts', "throw new RangeError('no luck');");
  file('deep.ts', "import './not-there.ts';");
  file(
    'project/node_modules/sterna-plugin-x/package.json',
    '{"name":"sterna-plugin-x","type":"module","exports":{"import":"./index.js"}}',
  );
  file('project/node_modules/sterna-plugin-x/index.js', device('packaged'));
  file('project/node_modules/raw/package.json', '{"name":"raw","type":"module","exports":"./index.ts"}');
  file('project/node_modules/raw/index.ts', 'export default 1 as number;');
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

function load(spec: string, cwd = dir): string {
  const loader = pathToFileURL(join(import.meta.dirname, '../../../src/node/plugin/load-plugin.ts')).href;
  const program = `const { loadPlugin } = await import(${JSON.stringify(loader)});
    try { const p = await loadPlugin(${JSON.stringify(spec)}, ${JSON.stringify(cwd)}); console.log('ok', p.name, p.devices.map((d) => d.descriptor.name).join()); }
    catch (e) { console.log(e.code, e.message); }`;
  const run = spawnSync(NODE, ['-C', '@sterna/source', '--input-type=module', '-e', program], {
    encoding: 'utf8',
    timeout: 20_000,
  });
  return run.stdout.trim() || run.stderr;
}

it('runs a TypeScript file outside the project, which may import our packages', () => {
  expect(load('./good.ts')).toBe('ok good-plugin good');
  expect(load(join(dir, 'good.ts'))).toBe('ok good-plugin good');
  expect(load('good.ts')).toBe('ok good-plugin good');
});

it('finds a package from the given directory', () => {
  expect(load('sterna-plugin-x', join(dir, 'project'))).toBe('ok packaged-plugin packaged');
});

it.each([
  ['./none.ts', /^STERNA_ERR_PLUGIN_LOAD plugin \.\/none\.ts: the module has no default export/],
  ['./syntax.ts', /^STERNA_ERR_PLUGIN_LOAD plugin \.\/syntax\.ts: SyntaxError/],
  ['./throws.ts', /^STERNA_ERR_PLUGIN_LOAD plugin \.\/throws\.ts: RangeError: no luck/],
  ['./deep.ts', /^STERNA_ERR_PLUGIN_LOAD plugin \.\/deep\.ts: .*not-there\.ts/],
  ['./gone.ts', /^STERNA_ERR_PLUGIN_LOAD plugin \.\/gone\.ts: there is no file/],
  ['no-such-package', /^STERNA_ERR_PLUGIN_LOAD plugin no-such-package: no such package is installed/],
])('says what is wrong with %s', (spec, message) => {
  expect(load(spec)).toMatch(message);
});

it('says that a package must ship JavaScript', () => {
  expect(load('raw', join(dir, 'project'))).toMatch(/plugin raw: it is TypeScript below node_modules/);
});

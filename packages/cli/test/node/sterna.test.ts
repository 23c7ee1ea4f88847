import { existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { TOY, until, Workshop } from './system-process.ts';

let shop: Workshop;
beforeEach(() => {
  shop = new Workshop();
  writeFileSync(
    shop.path('sterna.config.ts'),
    `import { defineMachine } from '@sterna/core';
     import toy from ${JSON.stringify(TOY)};
     export default defineMachine({ name: 'box', machine: { type: toy.machines[0]!, properties: {} }, plugins: [toy] });`,
  );
});
afterEach(() => shop.dispose());

it('runs a machine file, publishes its socket for this user only, and migrates it by name', async () => {
  const a = shop.start('sterna', ['run', '--serial', 'stdio']);
  const socket = shop.path('sterna/box.qmp');
  await until(() => existsSync(socket) && a.out.includes('TICK 3'), a);
  expect(statSync(socket).mode & 0o777).toBe(0o600);
  const b = shop.start('sterna', [
    'run',
    'sterna.config.ts',
    '--name',
    'box2',
    '--serial',
    'stdio',
    '--incoming',
    'unix:m',
  ]);
  await until(() => existsSync(shop.path('m')), b);
  const migrate = shop.start('sterna', [
    'migrate',
    'box',
    '--to',
    `unix:${shop.path('m')}`,
    '--json',
    '--max-downtime',
    '200ms',
  ]);
  await until(() => migrate.code !== undefined, migrate);
  expect(migrate.err).toBe('');
  expect(migrate.code).toBe(0);
  expect(JSON.parse(migrate.out)).toMatchObject({ status: 'completed', downtime: expect.any(Number) });
  await until(() => a.code === 0, a);
  const before = b.out.length;
  await until(() => b.out.length > before + 20, b);
  const list = [...(a.out + b.out).matchAll(/TICK (\d+)/g)].map((match) => Number(match[1]));
  expect(list).toEqual(list.map((_, i) => i + 1));
  expect(existsSync(socket)).toBe(false);
});

it('says with its exit code how a migration ended', async () => {
  const a = shop.start('sterna', ['run', '--serial', 'file:log']);
  await until(() => existsSync(shop.path('log')) && readFileSync(shop.path('log'), 'utf8').includes('TICK 3'), a);
  const failed = await shop.run('sterna', 'migrate', 'box', '--to', 'unix:/nobody/there');
  expect(failed.err).toMatch(/migration failed: .*the guest runs on here/);
  expect(failed.code).toBe(4);
  expect((await shop.run('sterna', 'migrate', 'box', '--to', 'nonsense')).code).toBe(2);
  expect((await shop.run('sterna', 'migrate', 'bux', '--to', 'unix:x')).err).toMatch(/no machine 'bux' is running/);
  expect(a.code).toBeUndefined();
});

it('lists and checks plugins', async () => {
  writeFileSync(shop.path('bad.ts'), 'export default 1;');
  writeFileSync(
    shop.path('good.ts'),
    "import { definePlugin } from '@sterna/core';\nexport default definePlugin({ name: 'nothing' });\n",
  );
  const checked = await shop.run('sterna', 'plugin', 'check', './good.ts', './bad.ts', '--json');
  expect(checked.code).toBe(2);
  expect(JSON.parse(checked.out)).toMatchObject([
    { ok: true, name: 'nothing', devices: [] },
    { ok: false, code: 'STERNA_ERR_PLUGIN_LOAD' },
  ]);
  expect((await shop.run('sterna', 'plugin', 'list')).out).toContain('machine microvm');
  expect((await shop.run('sterna', 'plugin', 'info', TOY)).out).toMatch(/device toy-ticker \(sysbus\): Prints a line/);
});

it('refuses what it does not know', async () => {
  const unknown = await shop.run('sterna', 'migrat');
  expect([unknown.code, unknown.err]).toEqual([2, "sterna: unknown command 'migrat'; did you mean 'migrate'?\n"]);
  expect((await shop.run('sterna')).code).toBe(2);
  expect((await shop.run('sterna', 'run', '--help')).out).toMatch(/usage: sterna run/);
  expect((await shop.run('sterna', 'run', 'nothere.ts')).err).toMatch(/no machine file nothere\.ts/);
  expect((await shop.run('sterna', 'run', '--sirial', 'x')).code).toBe(2);
  expect(JSON.parse((await shop.run('sterna', 'doctor', '--json')).out)).toMatchObject({ sterna: '0.1.0' });
});

it('shows and compares streams', async () => {
  const a = shop.start('sterna-system-x86_64', [
    '--plugin',
    TOY,
    '-M',
    'toy',
    '-nodefaults',
    '-serial',
    'null',
    '-monitor',
    'stdio',
  ]);
  a.child.stdin?.write(`migrate file:one\n`);
  await until(() => /migrate file:one\r\n(?:.|\n)*\(qemu\)/.test(a.out), a);
  const shown = await shop.run('sterna', 'stream', 'inspect', 'one');
  expect(shown.err).toBe('');
  expect(shown.out).toMatch(/section 'toy-ticker' instance 0/);
  expect(shown.out).toMatch(/count = 0x[0-9a-f]+/);
  expect((await shop.run('sterna', 'stream', 'diff', 'one', 'one')).code).toBe(0);
});

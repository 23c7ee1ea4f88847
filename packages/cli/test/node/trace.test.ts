import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { TOY, until, Workshop } from './system-process.ts';

let shop: Workshop;
beforeEach(() => {
  shop = new Workshop();
});
afterEach(() => shop.dispose());

it('writes what a migration does, and reports it', async () => {
  const vm = shop.toy('-serial', 'null', '-monitor', 'stdio', '-migration-trace', 'trace', '-name', 'box');
  expect(readLines('trace', vm)).toEqual([]);
  vm.child.stdin?.write('migrate file:one\n');
  await until(() => existsSync(shop.path('trace')) && readFileSync(shop.path('trace'), 'utf8').includes('"end"'), vm);
  const report = await shop.run('sterna', 'report', 'trace');
  expect(report).toMatchObject({ code: 0, err: '' });
  expect(report.out).toMatch(/^migration of box: completed in .* until the source was done\n/);
  expect(report.out).toMatch(/ toy-ticker$/m);
  const json = JSON.parse((await shop.run('sterna', 'report', 'trace', '--json')).out);
  expect(json).toMatchObject({ status: 'completed', machine: 'box', complete: true, sides: ['source'] });
  const page = await shop.run('sterna', 'report', 'trace', '--html', 'page.html');
  expect(page).toMatchObject({ code: 0, out: '', err: '' });
  expect(readFileSync(shop.path('page.html'), 'utf8')).toMatch(/^<!doctype html>(.|\n)*<\/html>\n$/);
});

function readLines(name: string, { code }: { code?: unknown }): string[] {
  expect(code).toBeUndefined();
  return existsSync(shop.path(name)) ? readFileSync(shop.path(name), 'utf8').split('\n').filter(Boolean) : [];
}

it('says what keeps it from tracing or reporting', async () => {
  mkdirSync(shop.path('taken'));
  const refused = await shop.run(
    'sterna-system-x86_64',
    '--plugin',
    TOY,
    '-M',
    'toy',
    '-nodefaults',
    '-migration-trace',
    'taken',
  );
  expect([refused.code, refused.err]).toEqual([1, expect.stringMatching(/cannot write .*taken: .*directory/)]);
  expect((await shop.run('sterna', 'report', 'nowhere')).err).toMatch(/cannot read nowhere/);
  expect((await shop.run('sterna', 'report')).code).toBe(2);
});

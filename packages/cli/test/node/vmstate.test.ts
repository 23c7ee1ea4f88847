import { readFileSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Workshop } from './system-process.ts';

let shop: Workshop;
beforeEach(() => {
  shop = new Workshop();
});
afterEach(() => shop.dispose());

const json = (name: string) => JSON.parse(readFileSync(shop.path(name), 'utf8'));

it('dumps the same tables with either program, and finds them equal', async () => {
  const system = await shop.run(
    'sterna-system-x86_64',
    '-M',
    'microvm',
    '-nodefaults',
    '-dump-vmstate',
    shop.path('a'),
  );
  expect(system).toMatchObject({ code: 0, err: '', out: '' });
  const sterna = await shop.run('sterna', 'vmstate', 'dump', '--machine', 'microvm', '--output', shop.path('b'));
  expect(sterna).toMatchObject({ code: 0, err: '' });
  expect(readFileSync(shop.path('a'), 'utf8')).toBe(readFileSync(shop.path('b'), 'utf8'));
  expect(json('a')).toMatchObject({
    vmschkmachine: { Name: 'microvm' },
    'isa-serial': { Name: 'isa-serial', Description: { name: 'serial', version_id: 3, minimum_version_id: 2 } },
    mc146818rtc: {
      Description: { Fields: expect.arrayContaining([expect.objectContaining({ field: 'cmos_data', size: 128 })]) },
    },
    cpu: { Description: { name: 'cpu' } },
  });
  const diff = await shop.run('sterna', 'vmstate', 'diff', shop.path('a'), shop.path('b'));
  expect(diff).toMatchObject({ code: 0, out: 'a and b have the same tables\n' });
});

it('says with its exit code what a change means', async () => {
  await shop.run('sterna', 'vmstate', 'dump', '--machine', 'microvm', '--output', shop.path('old'));
  const dump = json('old');
  dump['mc146818rtc'].Description.version_id = 4;
  writeFileSync(shop.path('raised'), JSON.stringify(dump));
  dump['isa-i8259'].Description.Fields.shift();
  writeFileSync(shop.path('broken'), JSON.stringify(dump));
  const raised = await shop.run('sterna', 'vmstate', 'diff', shop.path('old'), shop.path('raised'), '--json');
  expect(raised.code).toBe(1);
  expect(JSON.parse(raised.out)).toMatchObject({ verdict: 'needs-subsection', devices: [{ device: 'mc146818rtc' }] });
  const broken = await shop.run('sterna', 'vmstate', 'diff', shop.path('old'), shop.path('broken'));
  expect(broken.code).toBe(3);
  expect(broken.out).toContain('isa-i8259: breaking (major)');
  expect((await shop.run('sterna', 'vmstate', 'diff', shop.path('old'))).code).toBe(2);
  expect((await shop.run('sterna', 'vmstate', 'diff', shop.path('old'), shop.path('gone'))).code).toBe(1);
});

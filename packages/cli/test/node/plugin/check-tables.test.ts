import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkTables, recordTables } from '../../../src/node/plugin/check-tables.ts';
import { type LoadedPlugin, loadPluginFolder } from '../../../src/node/plugin/plugin-folder.ts';

const ROOT = join(import.meta.dirname, '../../../../..');
let base: string;
let count = 0;
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'sterna-check-'));
  symlinkSync(join(ROOT, 'node_modules'), join(base, 'node_modules'));
});
afterEach(() => rmSync(base, { recursive: true }));

/** A release of a plugin with one device; each in a folder of its own, since modules are loaded once. */
async function release(version: string, table: string, published?: string): Promise<LoadedPlugin> {
  const folder = join(base, `release-${count++}`);
  mkdirSync(join(folder, 'src'), { recursive: true });
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'lamp', version, type: 'module' }));
  writeFileSync(
    join(folder, 'src/index.ts'),
    `import { defineDevice } from '@sterna/core';
class Lamp { on = 0; colour = 0; }
export default defineDevice({
  name: 'lamp', bus: 'sysbus', description: 'a lamp', create: () => new Lamp(),
  vmstate: { name: 'lamp', ${table} },
});\n`,
  );
  if (published !== undefined) writeFileSync(join(folder, 'vmstate.json'), published);
  return loadPluginFolder(folder);
}

async function firstRelease(version = '1.2.3'): Promise<string> {
  const loaded = await release(version, "version: 1, fields: ({ u32 }) => [u32('on')]");
  return readFileSync(await recordTables(loaded), 'utf8');
}

describe('the tables of a plugin', () => {
  it('have nothing to be compared with before the first release', async () => {
    expect(await checkTables(await release('1.0.0', "version: 1, fields: ({ u32 }) => [u32('on')]"))).toBeUndefined();
  });

  it('are as published', async () => {
    const published = await firstRelease();
    const same = await release('1.2.3', "version: 1, fields: ({ u32 }) => [u32('on')]", published);
    expect(await checkTables(same)).toMatchObject({ published: 'lamp@1.2.3', leastVersion: '1.2.3', enough: true });
  });

  it.each([
    ['a field without a version is breaking', "version: 1, fields: ({ u32 }) => [u32('on'), u32('colour')]", '2.0.0'],
    [
      'a field since a new version is minor',
      "version: 2, minimumVersion: 1, fields: ({ u32 }) => [u32('on'), u32('colour', { since: 2 })]",
      '1.3.0',
    ],
    [
      'a subsection is minor',
      "version: 1, fields: ({ u32 }) => [u32('on')], subsections: [{ name: 'lamp/colour', version: 1, needed: (dev) => dev.colour !== 0, fields: ({ u32 }) => [u32('colour')] }]",
      '1.3.0',
    ],
  ])('%s', async (_, table, leastVersion) => {
    const published = await firstRelease();
    expect(await checkTables(await release('1.2.4', table, published))).toMatchObject({ leastVersion, enough: false });
    expect(await checkTables(await release(leastVersion, table, published))).toMatchObject({ enough: true });
  });

  it('below 1.0 break with the second number', async () => {
    const published = await firstRelease('0.4.1');
    const broken = await release('0.4.2', "version: 1, fields: ({ u32 }) => [u32('colour'), u32('on')]", published);
    expect(await checkTables(broken)).toMatchObject({ leastVersion: '0.5.0', enough: false });
  });
});

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { firmwareDirectories, firmwareFinder } from '../../src/node/firmware-files.ts';

const directory = mkdtempSync(join(tmpdir(), 'sterna-firmware-'));
writeFileSync(join(directory, 'qboot.rom'), 'own');
afterAll(() => rmSync(directory, { recursive: true }));

describe('firmware files', () => {
  it('are found in the directories of the environment first', () => {
    const find = firmwareFinder(firmwareDirectories({ STERNA_FIRMWARE_PATH: `/nowhere:${directory}` }));
    expect(new TextDecoder().decode(find('qboot.rom'))).toBe('own');
  });

  it('are undefined when missing', () => {
    expect(firmwareFinder([directory])('missing.rom')).toBeUndefined();
  });

  it.each(['', '../qboot.rom', '/etc/passwd'])('are never looked up outside: %s', (name) => {
    expect(firmwareFinder([join(directory, 'sub'), directory])(name)).toBeUndefined();
  });
});

import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { cacheDirectory, fetchDebianPackage, findFirmware, hasApt, writeFileAtomic } from '../../src/node/index.ts';
import { peers } from '../peers.ts';

const apt = peers('apt-get', 'dpkg-deb');
let cache: string;
beforeEach(() => {
  cache = mkdtempSync(join(tmpdir(), 'sterna-cache-'));
  vi.stubEnv('STERNA_CACHE', cache);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(cache, { recursive: true, force: true });
});

const coded = (code: string): unknown => expect.objectContaining({ code });

describe('the cache', () => {
  it('is where STERNA_CACHE says, else with the workspace', () => {
    expect(cacheDirectory()).toBe(cache);
    vi.stubEnv('STERNA_CACHE', undefined);
    expect(cacheDirectory()).toMatch(/node_modules[/\\].cache[/\\]sterna$/);
  });

  it('gets whole files', () => {
    writeFileAtomic(join(cache, 'a', 'b'), 'one');
    writeFileAtomic(join(cache, 'a', 'b'), 'two');
    expect(readFileSync(join(cache, 'a', 'b'), 'utf8')).toBe('two');
  });
});

describe('Debian packages', () => {
  it('cannot be fetched without apt, and the error says what is missing', async () => {
    vi.stubEnv('PATH', join(cache, 'nothing'));
    expect(hasApt()).toBe(false);
    await expect(fetchDebianPackage('busybox-static')).rejects.toThrow(coded('STERNA_ERR_PACKAGE_SOURCE'));
  });

  it.each(['', '../etc', 'A', '-o=x'])('are not called %j', async (name) => {
    await expect(fetchDebianPackage(name)).rejects.toThrow(coded('STERNA_ERR_PACKAGE_FETCH'));
  });

  it('that are in the cache need neither apt nor network', async () => {
    vi.stubEnv('PATH', '');
    writeFileAtomic(join(cache, 'packages', 'pkg', 'usr', 'x'), '');
    writeFileSync(join(cache, 'packages', 'pkg.json'), '{"name":"pkg","version":"1","depends":""}');
    expect(await fetchDebianPackage('pkg')).toEqual({
      name: 'pkg',
      version: '1',
      depends: '',
      root: join(cache, 'packages', 'pkg'),
    });
  });

  describe.skipIf(apt.missing)(`with apt${apt.note}`, () => {
    it('are fetched once and unpacked', { timeout: 120_000 }, async () => {
      const log = vi.fn();
      const first = await fetchDebianPackage('busybox-static', { log });
      expect(
        existsSync(join(first.root, 'bin', 'busybox')) || existsSync(join(first.root, 'usr', 'bin', 'busybox')),
      ).toBe(true);
      expect(log).toHaveBeenCalled();
      log.mockClear();
      expect(await fetchDebianPackage('busybox-static', { log })).toEqual(first);
      expect(log).not.toHaveBeenCalled();
    });

    it('that do not exist are named with the reason', { timeout: 120_000 }, async () => {
      await expect(fetchDebianPackage('sterna-no-such-package')).rejects.toThrow(
        /sterna-no-such-package: .*Unable to locate/,
      );
    });
  });
});

describe('firmware', () => {
  it('is undefined where none is installed', () => {
    expect(findFirmware('sterna-no-such-firmware.bin')).toBeUndefined();
  });
});

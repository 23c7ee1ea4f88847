import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, readlinkSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type CpioEntry,
  cpioCharDevice,
  cpioDirectory,
  cpioFile,
  cpioSymlink,
  readCpio,
  writeCpio,
} from '../src/index.ts';
import { peers } from './peers.ts';

const name = fc.stringMatching(/^[a-z][a-z0-9._-]{0,20}$/).filter((text) => !text.startsWith('.'));
const content = fc.uint8Array({ maxLength: 300 });
const entry: fc.Arbitrary<CpioEntry> = fc.oneof(
  fc
    .tuple(name, content, fc.integer({ min: 0o400, max: 0o777 }))
    .map(([path, data, mode]) => cpioFile(path, data, mode)),
  name.map((path) => cpioDirectory(path)),
  fc.tuple(name, name).map(([path, target]) => cpioSymlink(path, target)),
);
const archive = fc.uniqueArray(entry, { selector: (item) => item.name, maxLength: 12 });

describe('newc archives', () => {
  it('are read back as written', () => {
    fc.assert(
      fc.property(archive, (entries) => {
        const all = [...entries, cpioCharDevice('null', 1, 3, 0o666)];
        expect(readCpio(writeCpio(all))).toEqual(all);
      }),
    );
  });

  it('are whole blocks, so that another archive can follow', () => {
    expect(writeCpio([]).length).toBe(512);
    expect(writeCpio([cpioFile('a', new Uint8Array(500))]).length).toBe(1024);
  });

  it.each(['', '/etc/passwd', 'TRAILER!!!'])('refuse the name %j', (bad) => {
    expect(() => writeCpio([cpioFile(bad, '')])).toThrow(expect.objectContaining({ code: 'STERNA_ERR_IMAGE_FORMAT' }));
  });

  it('are refused when cut or corrupt, whatever the damage', () => {
    const whole = writeCpio([cpioFile('a', 'hello'), cpioDirectory('b')]);
    const refused = expect.objectContaining({ code: 'STERNA_ERR_IMAGE_FORMAT' });
    for (let length = 0; length < 300; length += 7) expect(() => readCpio(whole.subarray(0, length))).toThrow(refused);
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const damaged = whole.slice();
        damaged[at]! ^= flip;
        try {
          readCpio(damaged);
        } catch (error) {
          expect(error).toEqual(
            expect.objectContaining({ code: expect.stringMatching(/^(STERNA_ERR_IMAGE_FORMAT|ERR_ENCODING)/) }),
          );
        }
      }),
    );
  });
});

const cpio = peers('cpio');
describe.skipIf(cpio.missing)(`GNU cpio${cpio.note}`, () => {
  it('unpacks what we write', () => {
    fc.assert(
      fc.property(archive, (entries) => {
        const directory = mkdtempSync(join(tmpdir(), 'sterna-cpio-'));
        try {
          const flags = ['-i', '-d', '--quiet', '--no-absolute-filenames'];
          execFileSync('cpio', flags, { cwd: directory, input: writeCpio(entries), stdio: ['pipe', 'pipe', 'pipe'] });
          for (const { name: path, mode, data } of entries) {
            const type = mode & 0o170000;
            if (type === 0o120000) expect(readlinkSync(join(directory, path))).toBe(new TextDecoder().decode(data));
            else expect(statSync(join(directory, path)).mode).toBe(mode);
            if (type === 0o100000) expect(new Uint8Array(readFileSync(join(directory, path)))).toEqual(data);
          }
        } finally {
          rmSync(directory, { recursive: true });
        }
      }),
      { numRuns: 10 },
    );
  });
});

const bsdtar = peers('bsdtar');
describe.skipIf(bsdtar.missing)(`libarchive${bsdtar.note}`, () => {
  it('writes what we read', () => {
    const directory = mkdtempSync(join(tmpdir(), 'sterna-bsdtar-'));
    try {
      writeFileSync(join(directory, 'one'), 'first');
      writeFileSync(join(directory, 'two'), new Uint8Array(5000).fill(7));
      const bytes = execFileSync('bsdtar', ['-cf', '-', '--format=newc', 'one', 'two'], { cwd: directory });
      const read = readCpio(bytes);
      expect(read.map((item) => [item.name, item.data?.length])).toEqual([
        ['one', 5],
        ['two', 5000],
      ]);
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});

import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { assemble } from '../../src/asm/index.ts';
import { peers } from '../peers.ts';
import { corpus } from './corpus.ts';

const nasm = peers('nasm');
const work = mkdtempSync(join(tmpdir(), 'sterna-nasm-'));
afterAll(() => rmSync(work, { recursive: true, force: true }));

const guests = fileURLToPath(new URL('../../guests/', import.meta.url));
const golden = fileURLToPath(new URL('../../../../../shared/golden/tiny.asm', import.meta.url));

function runNasm(path: string, defines: Record<string, string> = {}): Buffer {
  const out = join(work, 'out.bin');
  const flags = Object.entries(defines).map(([name, value]) => `-D${name}=${value}`);
  execFileSync('nasm', ['-w-all', '-f', 'bin', '-i', guests, ...flags, '-o', out, path], { stdio: 'pipe' });
  return readFileSync(out);
}

function runOurs(path: string, defines: Record<string, string> = {}): Buffer {
  const include = (name: string): string => readFileSync(join(guests, name), 'utf8');
  return Buffer.from(assemble(readFileSync(path, 'utf8'), { file: path, defines, include }).bytes);
}

describe.skipIf(nasm.missing)(`byte for byte as NASM${nasm.note}`, () => {
  const sources: [string, string, Record<string, string>][] = [
    ['ticker', join(guests, 'ticker.asm'), {}],
    ['pattern', join(guests, 'pattern.asm'), {}],
    ['pattern that sleeps', join(guests, 'pattern.asm'), { LAST_MIB: '20', PAUSE: '100', SUSPEND: '1' }],
    ['tiny, PVH', join(guests, 'tiny.asm'), { FORM_PVH: '1' }],
    ['tiny, multiboot', join(guests, 'tiny.asm'), { FORM_MULTIBOOT: '1' }],
    ['tiny, ROM', join(guests, 'tiny.asm'), { FORM_ROM: '1', ROM_CMDLINE: '"rate=5 stop=3"' }],
  ];
  it.each(sources)('%s', (_, path, defines) => {
    expect(runOurs(path, defines).equals(runNasm(path, defines))).toBe(true);
  });

  it
    .skipIf(!existsSync(golden))
    .each([{ FORM_PVH: '1' }, { FORM_ROM: '1' }, { FORM_ROM: '1', MODE: "'h'", ROUNDS: '16' }])(
    'the guest of the golden streams, %o',
    (defines: Record<string, string>) => {
      expect(runOurs(golden, defines).equals(runNasm(golden, defines))).toBe(true);
    },
  );

  it.each([16, 32, 64] as const)('every instruction in %i-bit code', (bits) => {
    const lines = corpus(bits);
    // Each line stands between markers, so that a difference can be named.
    const marker = (index: number): string => `align 16\nline_${index}: times 16 db 0xf1`;
    const body = lines.map((line, index) => `${marker(index)}\n${line}`).join('\n');
    const head = `bits ${bits}\norg 0x1000\nlab: db 0,0,0,0\nlab2: nop`;
    const source = `${head}\n${body}\n${marker(lines.length)}\nfar1: times 1000 db 0\n`;
    const path = join(work, `corpus${bits}.asm`);
    writeFileSync(path, source);
    const theirs = runNasm(path);
    const { bytes, symbols } = assemble(source);
    const different = lines.filter((_, index) => {
      const [from, to] = [index, index + 1].map((at) => Number(symbols.get(`line_${at}`)! - 0x1000n));
      return !theirs.subarray(from, to).equals(bytes.subarray(from, to));
    });
    expect(different).toEqual([]);
    expect(theirs.length).toBe(bytes.length);
    expect(lines.length).toBeGreaterThan(1500);
  });
});

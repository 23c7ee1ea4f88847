import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { BASE, type Instruction } from '../../src/decode/instruction.ts';
import { decode, disassemble } from '../../src/index.ts';
import { toolchain } from './toolchain.ts';
import { generator } from './vectors.ts';

const SEED = Number(process.env['STERNA_SEED'] ?? 16);
/** First words tried for each upper byte, and for the zero byte with its many formats. */
const TRIES = 60;
const ZERO_TRIES = 4000;
const PREFIXES = [0x10, 0x11, 0x12, 0x13, 0x14, 0x18, 0x19];

/** What GNU as 2.40 does not take, or writes differently; each looked up. */
function beyondGas(i: Instruction): boolean {
  const { shape, memory, length } = i;
  // It knows only the traps' names.
  if (shape === 'vector') return ![5, 6, 7, 8, 9, 10, 12, 14, 15].includes(i.source);
  // It takes distances for numbers without a sign; labels are resolved by the linker.
  if (shape.startsWith('branch') || shape.startsWith('link')) return memory.displacement < 0;
  // It refuses lists that go beyond the registers it expects.
  if (shape.startsWith('list')) return i.source + i.destination > 12;
  // It writes the register over the opcode in the formats with 14 bits of displacement.
  if (memory.index >= 0 && memory.base !== BASE.NONE) return length === 4;
  // It shortens addresses from 0xf00000 on as if all of the last MiB, not 64 KiB of it, had a short form.
  if (memory.base === BASE.NONE && memory.index < 0) return memory.displacement >= 0xf0_0000;
  // It takes the form for negative displacements whenever the base is a register.
  return memory.base === BASE.REGISTER && memory.displacement >= 0 && (shape === 'load' || shape === 'store');
}

describe(`what GNU as writes, seed ${SEED}`, () => {
  const folder = mkdtempSync(join(tmpdir(), 'cr16-gas-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('is decoded to what was meant', { timeout: 1_200_000 }, () => {
    const tools = toolchain();
    const random = generator(SEED);
    const texts = new Set<string>();
    for (let upper = 0; upper < 256; upper++)
      for (let k = 0; k < (upper === 0 ? ZERO_TRIES : TRIES); k++) {
        const first =
          upper === 0 && k % 2 === 0 ? PREFIXES[random() % PREFIXES.length]! : (upper << 8) | (random() & 0xff);
        const words = [first, random() & 0xffff, random() & 0xffff];
        const instruction = decode({ word: (n) => words[n]! });
        if (instruction.mnemonic !== 'undefined' && !beyondGas(instruction)) texts.add(disassemble(instruction));
      }
    const file = (name: string): string => join(folder, name);
    writeFileSync(file('all.s'), `${[...texts].join('\n')}\n`);
    execFileSync(tools.as, ['-o', file('all.o'), file('all.s')]);
    execFileSync(tools.objcopy, ['-O', 'binary', '-j', '.text', file('all.o'), file('all.bin')]);
    const code = readFileSync(file('all.bin'));
    let at = 0;
    const differing: string[] = [];
    for (const text of texts) {
      const instruction = decode({ word: (n) => (at + 2 * n + 1 < code.length ? code.readUInt16LE(at + 2 * n) : 0) });
      const read = disassemble(instruction);
      if (read !== text) differing.push(`${text} is read as ${read}`);
      at += instruction.length;
    }
    expect(differing.slice(0, 10)).toEqual([]);
    expect(at).toBe(code.length);
    expect(texts.size).toBeGreaterThan(8000);
  });
});

import { describe, expect, it } from 'vitest';
import { disassemble } from '../../src/index.ts';
import { KNOWN_DIFFERENCES } from './known-differences.ts';
import { execute, simulate } from './simulator.ts';
import { toolchain } from './toolchain.ts';
import { ENTRY, makeProgram } from './vectors.ts';

const SEED = Number(process.env['STERNA_SEED'] ?? 16);
const PROGRAMS = 5;
const INSTRUCTIONS = 2500;
/** The status in an entry of the table. */
const STATUS = 40;

describe(`random instructions in GDB's simulator and here, seed ${SEED}`, () => {
  it('agree', { timeout: 1_200_000 }, async () => {
    const tools = toolchain();
    const seen = new Set<string>();
    const differing: string[] = [];
    for (let p = 0; p < PROGRAMS; p++) {
      const program = makeProgram(SEED + p, INSTRUCTIONS, (i) =>
        KNOWN_DIFFERENCES.every(({ when, flags }) => flags !== undefined || !when(i)),
      );
      const theirs = simulate(tools, program);
      const ours = await execute(program);
      program.vectors.forEach(({ instruction, words }, n) => {
        seen.add(`${instruction.mnemonic} ${instruction.shape} ${instruction.length}`);
        const ignored = KNOWN_DIFFERENCES.find(({ when }) => when(instruction))?.flags ?? 0;
        const [a, b] = [ours, theirs].map((table) => {
          const entry = Uint8Array.from(table.subarray(n * ENTRY, (n + 1) * ENTRY));
          entry[STATUS] = entry[STATUS]! & ~ignored;
          return Buffer.from(entry).toString('hex');
        });
        if (a === b) return;
        const code = words.map((word) => word.toString(16).padStart(4, '0')).join(' ');
        differing.push(`${disassemble(instruction)} (${code}):\n  here      ${a}\n  simulator ${b}`);
      });
    }
    expect(differing.slice(0, 5)).toEqual([]);
    expect(seen.size).toBeGreaterThan(150);
  });
});

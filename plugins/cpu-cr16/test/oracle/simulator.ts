import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { CpuExit } from '@sterna/core';
import { CpuBench } from '@sterna/testkit';
import { cr16c } from '../../src/index.ts';
import type { Toolchain } from './toolchain.ts';
import { CODE, ENTRY, type Program, TABLE } from './vectors.ts';

/** Most bytes that the simulator writes in one call. */
const PORTION = 0x8000;
/** Numbers of its calls (newlib's for CR16). */
const SYS_WRITE = 0x404;
const SYS_EXIT = 0x410;
const EXCP_BPT = 0x00c8;
/** Where a program ends here. */
const BRANCH_TO_ITSELF = 0x10e0;

/** Runs a program in GDB's simulator; answers its table. */
export function simulate(tools: Toolchain, { code, vectors }: Program): Uint8Array {
  const folder = mkdtempSync(join(tmpdir(), 'cr16-oracle-'));
  try {
    const words = [...code];
    const size = vectors.length * ENTRY;
    // MOVW of a number, by register; GNU as would refuse half of the numbers.
    const set = (register: number, value: number): void => void words.push(0x5ab0 | register, value & 0xffff);
    const call = (number: number, ...parameters: readonly number[]): void => {
      set(0, number);
      for (const [n, value] of parameters.entries()) set(2 + n, value);
      words.push(EXCP_BPT);
    };
    for (let at = 0; at < size; at += PORTION) {
      const from = TABLE + at;
      call(SYS_WRITE, 1, from, from >>> 16, Math.min(PORTION, size - at));
    }
    call(SYS_EXIT, 0);
    const lines = ['.text', '.globl _start', '_start:'];
    for (let i = 0; i < words.length; i += 16) lines.push(` .short ${words.slice(i, i + 16).join(',')}`);
    const file = (name: string): string => join(folder, name);
    writeFileSync(file('program.s'), `${lines.join('\n')}\n`);
    execFileSync(tools.as, ['-o', file('program.o'), file('program.s')]);
    writeFileSync(file('map'), `SECTIONS { .text ${CODE} : { *(.text) } /DISCARD/ : { *(*) } }\n`);
    execFileSync(tools.ld, ['-T', file('map'), '-e', '_start', '-o', file('program'), file('program.o')]);
    return execFileSync(tools.run, [file('program')], { maxBuffer: 2 ** 26, timeout: 120_000 });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Runs a program on this CPU; answers its table. */
export async function execute({ code, vectors }: Program): Promise<Uint8Array> {
  const bytes = new Uint8Array(Uint16Array.from([...code, BRANCH_TO_ITSELF]).buffer);
  await using bench = new CpuBench(cr16c, { program: bytes, origin: CODE, ramSize: 0xf0_0000 });
  bench.cpu
    .registers()
    .find(({ name }) => name === 'pc')!
    .write(BigInt(CODE));
  const end = CODE + code.byteLength;
  const pc = (): number => Number(bench.registers().get('pc'));
  while (pc() !== end) {
    const exit = bench.run(1000);
    if (exit !== CpuExit.BUDGET || pc() < CODE)
      throw new Error(`left the program: exit ${exit}, at 0x${pc().toString(16)}`);
  }
  return bench.ram.slice(TABLE, TABLE + vectors.length * ENTRY);
}

import { MEMORY_LAYOUT, PAGE_MAP_READ } from '@sterna/core';
import { assemble } from '@sterna/guests';
import { expect } from 'vitest';
import { X86Engine } from '../../src/engine.ts';
import { JIT_DEFAULTS } from '../../src/jit/jit-options.ts';
import { cellAddress } from '../../src/state/layout.ts';
import { Rig } from '../rig.ts';

const CODE = 0x10ff0;
/** Where the pages of data begin, linear. */
export const DATA = 0x40000;
const PAGES = 12;

/** Pages of the data in RAM, not in order; one can only be read, one is a device, and one has the program's code. */
function rigOf(source: string, bits: 32 | 64, threshold: number): Rig {
  const rig = new Rig(1 << 20, {}, (memory) => new X86Engine(memory, { ...JIT_DEFAULTS, threshold }));
  for (let i = 0; i < PAGES; i++) rig.map(DATA + i * 4096, 0x80000 + ((i * 5) % PAGES) * 4096);
  rig.map(DATA + 5 * 4096, 0x90000, PAGE_MAP_READ);
  rig.view.setUint32(MEMORY_LAYOUT.pageMap + ((DATA >>> 12) + 7) * 4, 0, true);
  rig.map(DATA + 9 * 4096, 0x11000);
  const { bytes } = assemble(`bits ${bits}\norg ${CODE}\n${source}\nhlt`);
  rig.bytes.set(bytes, rig.at(CODE));
  for (let i = 0x80000; i < 0xa0000; i += 4) rig.view.setUint32(rig.at(i), Math.imul(i, 0x9e3779b1), true);
  rig.mode(bits);
  const { state } = rig.cpu;
  for (let r = 0; r < 16; r++) state.setBig('regs', r === 4 ? 0x9000n : BigInt(r) * 0x1111n, r);
  state.setBig('rip', BigInt(CODE));
  return rig;
}

/** Runs a program to its end and describes everything that came of it; a threshold of 0 interprets. */
export function run(source: string, bits: 32 | 64, threshold: number): string {
  const rig = rigOf(source, bits, threshold);
  let executed = 0;
  for (let exit = 0; exit !== 1 && exit !== 2; ) {
    exit = rig.cpu.run(3000);
    executed += rig.cpu.executed;
    expect(executed).toBeLessThan(1_000_000);
  }
  if (threshold > 0) expect(rig.cpu.engine.jit.statistics.regions).toBeGreaterThan(0);
  const { state } = rig.cpu;
  const regs = Array.from({ length: 16 }, (_, i) => state.getBig('regs', i).toString(16));
  for (let i = 0; i < 16; i++) regs.push(rig.bytes.slice(cellAddress('xmm', i), cellAddress('xmm', i) + 16).join(' '));
  const ram = Buffer.from(rig.bytes.slice(rig.at(0x10000), rig.at(0xa0000))).toString('base64');
  return [executed, ...regs, state.getBig('rip').toString(16), rig.cpu.rflags.toString(16), ram].join();
}

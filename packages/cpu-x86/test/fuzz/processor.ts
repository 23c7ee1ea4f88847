import type { X86Cpu } from '../../src/index.ts';
import { storeCpuid } from '../../src/models/cpuid-table.ts';
import { coreCount, eferBits, featureWords, qemu64Cpuid } from '../../src/models/qemu64.ts';
import { SEL } from './places.ts';
import type { Random } from './random.ts';
import { SYSTEM, type World } from './world.ts';

/** Registers that point into the data area at the start. */
export const POINTERS = [5, 6, 7, 12, 13] as const;

/** Puts a processor in a world's start state, with registers of random content. */
export function prepareProcessor(cpu: X86Cpu, w: World, random: Random, rip: number): void {
  const s = cpu.state;
  const words = featureWords(w.guarded ? { smap: true, smep: true, pcid: true, invpcid: true } : {});
  storeCpuid(s, qemu64Cpuid(words, { apicId: 0, count: 1 }));
  s.setBig('eferValid', BigInt(eferBits(words)));
  s.setBig('coreCount', coreCount(1));
  s.setBig('cr0', w.paging ? 0x80050033n : w.bits === 16 ? 0x32n : 0x50033n);
  s.setBig('cr3', BigInt(w.long ? SYSTEM.pml4 : SYSTEM.pd32));
  s.setBig('cr4', w.bits === 16 ? 0x600n : w.guarded ? 0x3206a0n : w.long ? 0x6a0n : 0x680n);
  s.setBig('efer', w.long ? 0xd01n : 0n);
  s.setBig('gdtBase', BigInt(SYSTEM.gdt));
  s.set('gdtLimit', SYSTEM.gdtLimit);
  s.setBig('idtBase', BigInt(w.bits === 16 ? 0 : SYSTEM.idt));
  s.set('idtLimit', w.bits === 16 ? 0x3ff : w.long ? SYSTEM.idtLimit64 : SYSTEM.idtLimit32);
  s.setBig('trBase', BigInt(SYSTEM.tss));
  s.set('trLimit', 0x67);
  s.set('trFlags', 0x8b00);
  s.set('trSel', SEL.tss);
  s.set('a20Mask', 0xffffffff);
  s.setBig('dr', 0xffff0ff0n, 6);
  s.setBig('dr', 0x400n, 7);
  s.setBig('pat', 0x0007040600070406n);
  for (let i = 0; i < 6; i++) {
    const user = w.cpl === 3;
    const [selector, flags] =
      i === 1
        ? w.bits === 64
          ? [user ? SEL.user64 : SEL.kernel64, 0xaf9b00]
          : [user ? SEL.user32 : SEL.kernel32, 0xcf9b00]
        : [user ? SEL.userData : SEL.kernelData, 0xcf9300];
    s.set('segSel', w.bits === 16 ? 0 : selector, i);
    s.setBig('segBase', 0n, i);
    s.set('segLimit', w.bits === 16 ? 0xffff : 0xffffffff, i);
    s.set('segFlags', w.bits === 16 ? (i === 1 ? 0x9b00 : 0x9300) : flags | (w.cpl << 13), i);
  }
  if (w.bits === 64) {
    s.setBig('segBase', BigInt(w.data + 0x1100), 4);
    s.setBig('segBase', BigInt(w.dataAlias + 0x2200), 5);
    s.setBig('kernelGsBase', BigInt(w.data + 0x4000));
  }
  const mask = w.bits === 64 ? 0xffff_ffff_ffff_ffffn : 0xffff_ffffn;
  for (let r = 0; r < (w.bits === 64 ? 16 : 8); r++) s.setBig('regs', random.u64() & mask, r);
  for (const r of POINTERS) if (r < 8 || w.bits === 64) s.setBig('regs', BigInt(pointer(random, w)), r);
  s.setBig('regs', BigInt(w.stackTop - 0x100), 4);
  s.setBig('rip', BigInt(rip));
  cpu.rflags = 0x202 | (random.u32() & (w.guarded ? 0x408d5 : 0x8d5));
  for (let i = 0; i < 16; i++) {
    const float = random.chance(0.5);
    const half = (): bigint =>
      float ? BigInt.asUintN(64, (random.u64() & 0x800fffff000fffffn) | 0x3ff000003f800000n) : random.u64();
    s.setBig('xmm', half(), i);
    s.setHigh('xmm', half(), i);
  }
  s.set('mxcsr', random.chance(0.8) ? 0x1f80 : 0x1fa0 | (random.int(4) << 13) | (random.chance(0.3) ? 0x8040 : 0));
  s.set('fpuCw', 0x37f);
  for (let i = 0; i < 8; i++) s.setBig('fpMant', random.u64() | (1n << 63n), i);
  for (let i = 0; i < 8; i++) s.set('fpExp', 0x3ff0 + random.int(32), i);
  s.set('fpuTags', random.int(256));
}

/** A random address in the data area, aligned more often than not, and near the end of a page now and then. */
export function pointer(random: Random, w: World): number {
  const pages = w.dataPages.length;
  const page =
    random.weighted([
      [6, 1],
      [6, 2],
      [2, 4],
      [1, 6],
      [0.5, random.int(pages)],
      [0.3, 8],
    ]) % pages;
  const offset = random.weighted([
    [5, random.int(256) * 16],
    [2, random.int(4096)],
    [1, 4096 - random.between(1, 32)],
    [1, 0],
  ]);
  return w.data + page * 0x1000 + offset;
}

import { MachineMemory, MEMORY_LAYOUT } from '@sterna/core';
import { assemble } from '@sterna/guests';
import { X86Cpu } from '../../src/cpu.ts';
import type { CpuHost } from '../../src/engine.ts';
import { storeCpuid } from '../../src/models/cpuid-table.ts';
import { coreCount, cpuidRows, eferBits } from '../../src/models/leaves.ts';
import { configure } from '../../src/models/model.ts';
import { QEMU64, QEMU64_SIGNATURE } from '../../src/models/qemu64.ts';
import type { StateView } from '../../src/state/view.ts';
import { resetState } from '../../src/system/reset.ts';

/** Guest-physical places of the fixtures. */
export const AT = {
  idt: 0x1000,
  gdt: 0x2000,
  tss: 0x3000,
  ldt: 0x3800,
  code: 0x5000,
  /** Handler of vector v is a HLT at handlers + 16 v. */
  handlers: 0x6000,
  stack0: 0x9000,
  stack1: 0xa000,
  userStack: 0xb000,
  ist: 0xc000,
  data: 0x1_0000,
  pml4: 0x10_0000,
} as const;

/** Selectors of the fixture GDT. */
export const SEL = {
  code32: 0x08,
  data32: 0x10,
  code64: 0x18,
  user32: 0x23,
  userData: 0x2b,
  user64: 0x33,
  tss: 0x38,
  code16: 0x48,
  data16: 0x50,
  conforming: 0x58,
  notPresent: 0x60,
  execOnly: 0x68,
  readOnly: 0x70,
  expandDown: 0x78,
  ldt: 0x80,
  free: 0x90,
} as const;

/** CPU features beside those of qemu64, by QEMU's names. */
export type Features = Readonly<Record<string, boolean>>;

export type Mode = 'real' | 'prot16' | 'prot32' | 'user32' | 'vm86' | 'long' | 'user64' | 'compat32' | 'userCompat';

const RAM = 4 << 20;

/** A descriptor from base, limit (raw 20 bits) and bits 8-23 of the second dword. */
export function descriptor(base: number, limit: number, flags: number): bigint {
  const low = (limit & 0xffff) | ((base & 0xffff) * 0x10000);
  const high = ((base >>> 16) & 0xff) | (flags & 0xf0ff00) | (limit & 0xf0000) | (base & 0xff000000);
  return BigInt(low >>> 0) | (BigInt(high >>> 0) << 32n);
}

/** A processor with 4 MiB of RAM, descriptor tables and page tables that tests change as they like. */
export class Box {
  readonly memory = new MachineMemory(RAM + (64 << 10));
  readonly cpu: X86Cpu;
  readonly state: StateView;
  readonly view: DataView;
  readonly ports: [number, number, number][] = [];
  vector = -1;
  #ram: number;

  constructor(host: Partial<CpuHost> = {}, features: Features = {}) {
    const block = this.memory.allocate('ram', RAM);
    this.#ram = block.hostOffset;
    this.map(0, RAM, 3);
    this.view = new DataView(this.memory.memory.buffer, this.#ram, RAM);
    this.cpu = new X86Cpu(this.memory.memory as never, {
      mmioRead: () => 0xffff_ffff,
      mmioWrite: () => {},
      pioRead: () => 0,
      pioWrite: (port, size, value) => void this.ports.push([port, size, value]),
      acknowledge: () => this.vector,
      cr8Read: () => 0,
      cr8Write: () => {},
      apicBaseRead: () => 0xfee0_0900,
      apicBaseWrite: () => true,
      apicMsrRead: () => false,
      apicMsrWrite: () => false,
      armDeadline: () => {},
      deadlinePending: () => false,
      ...host,
    });
    this.state = this.cpu.state;
    const model = configure(QEMU64, features);
    this.cpu.engine.setFeatures(model.features);
    storeCpuid(this.state, cpuidRows(model, { apicId: 0, count: 1 }));
    this.state.setBig('eferValid', BigInt(eferBits(model.words)));
    this.state.setBig('coreCount', coreCount(1));
    resetState(this.state, QEMU64_SIGNATURE);
  }

  /** Maps guest-physical pages one to one to RAM with page map bits. */
  map(start: number, length: number, bits: number): void {
    const base = MEMORY_LAYOUT.pageMap / 4;
    for (let page = start >>> 12; page < (start + length) >>> 12; page++) {
      this.memory.u32[base + page] = bits === 0 ? 0 : this.#ram + page * 4096 + bits;
    }
  }

  write64(at: number, value: bigint): void {
    this.view.setBigUint64(at, BigInt.asUintN(64, value), true);
  }
  read64(at: number): bigint {
    return this.view.getBigUint64(at, true);
  }
  write32(at: number, value: number): void {
    this.view.setUint32(at, value, true);
  }
  read32(at: number): number {
    return this.view.getUint32(at, true);
  }
  bytes(at: number, data: Uint8Array): void {
    new Uint8Array(this.view.buffer, this.#ram + at, data.length).set(data);
  }

  /** Sets a GDT entry. */
  gdt(selector: number, value: bigint): void {
    this.write64(AT.gdt + (selector & 0xfff8), value);
  }

  /** Assembles code for a mode to `at` and returns its length. */
  code(mode: Mode, source: string, at: number = AT.code): number {
    const bits =
      mode === 'long' || mode === 'user64' ? 64 : mode === 'real' || mode === 'vm86' || mode === 'prot16' ? 16 : 32;
    const { bytes } = assemble(`bits ${bits}\norg ${at}\n${source}\n`);
    this.bytes(at, bytes);
    return bytes.length;
  }

  /** Puts the processor in a mode with everything prepared and `rip` at the code. */
  enter(mode: Mode): void {
    const s = this.state;
    const long = ['long', 'user64', 'compat32', 'userCompat'].includes(mode);
    this.#tables(long);
    this.#paging(long);
    const user = ['user32', 'user64', 'userCompat'].includes(mode);
    s.setBig('rip', BigInt(AT.code));
    s.setBig('gdtBase', BigInt(AT.gdt));
    s.set('gdtLimit', 0xff);
    s.setBig('idtBase', BigInt(mode === 'real' ? 0 : AT.idt));
    s.set('idtLimit', long ? 0xfff : mode === 'real' ? 0x3ff : 0x7ff);
    s.set('trSel', SEL.tss);
    s.setBig('trBase', BigInt(AT.tss));
    s.set('trLimit', 0x67 + 0x2001);
    s.set('trFlags', 0x8900);
    s.set('ldtSel', SEL.ldt);
    s.setBig('ldtBase', BigInt(AT.ldt));
    s.set('ldtLimit', 0xff);
    s.set('ldtFlags', 0x8200);
    s.setBig('cr0', mode === 'real' ? 0x10n : long ? 0x8001_0031n : 0x31n);
    s.setBig('cr4', long ? 0x620n : 0x600n);
    s.setBig('cr3', long ? BigInt(AT.pml4) : 0n);
    s.setBig('efer', long ? 0xd01n : 0n);
    s.set('eflags', mode === 'vm86' ? 0x2_0002 : 2);
    const set = (seg: number, selector: number, base: number, limit: number, flags: number): void => {
      s.set('segSel', selector, seg);
      s.setBig('segBase', BigInt(base), seg);
      s.set('segLimit', limit, seg);
      s.set('segFlags', flags, seg);
    };
    if (mode === 'real' || mode === 'vm86') {
      const dpl = mode === 'vm86' ? 0x6000 : 0;
      for (let seg = 0; seg < 6; seg++) set(seg, 0, 0, 0xffff, 0x9300 | dpl);
      set(1, 0, 0, 0xffff, 0x9b00 | dpl);
    } else if (mode === 'prot16') {
      for (let seg = 0; seg < 6; seg++) set(seg, SEL.data16, 0, 0xffff, 0x9300);
      set(1, SEL.code16, 0, 0xffff, 0x9b00);
    } else {
      const cs = mode === 'long' ? SEL.code64 : mode === 'user64' ? SEL.user64 : user ? SEL.user32 : SEL.code32;
      for (let seg = 0; seg < 6; seg++) {
        set(seg, user ? SEL.userData : SEL.data32, 0, 0xffff_ffff, user ? 0xcff300 : 0xcf9300);
      }
      const wide = mode === 'long' || mode === 'user64';
      set(1, cs, 0, 0xffff_ffff, (wide ? 0xaf9b00 : 0xcf9b00) | (user ? 0x6000 : 0));
    }
    for (let r = 0; r < 16; r++) s.setBig('regs', 0n, r);
    s.setBig('regs', BigInt(user || mode === 'vm86' ? AT.userStack : AT.stack0), 4);
    s.set('halted', 0);
    s.set('shadow', 0);
    this.cpu.rflags = s.get('eflags');
    this.cpu.stateChanged();
  }

  #tables(long: boolean): void {
    this.gdt(0, 0n);
    this.gdt(SEL.code32, descriptor(0, 0xfffff, 0xc09b00));
    this.gdt(SEL.data32, descriptor(0, 0xfffff, 0xc09300));
    this.gdt(SEL.code64, descriptor(0, 0xfffff, 0xa09b00));
    this.gdt(SEL.user32, descriptor(0, 0xfffff, 0xc0fb00));
    this.gdt(SEL.userData, descriptor(0, 0xfffff, 0xc0f300));
    this.gdt(SEL.user64, descriptor(0, 0xfffff, 0xa0fb00));
    this.gdt(SEL.tss, descriptor(AT.tss, 0x67 + 0x2001, 0x8b00));
    this.gdt(SEL.tss + 8, 0n);
    this.gdt(SEL.code16, descriptor(0, 0xffff, 0x9b00));
    this.gdt(SEL.data16, descriptor(0, 0xffff, 0x9300));
    this.gdt(SEL.conforming, descriptor(0, 0xfffff, long ? 0xa09f00 : 0xc09f00));
    this.gdt(SEL.notPresent, descriptor(0, 0xfffff, 0xc01300));
    this.gdt(SEL.execOnly, descriptor(0, 0xfffff, 0xc09900));
    this.gdt(SEL.readOnly, descriptor(0, 0xfffff, 0xc09100));
    this.gdt(SEL.expandDown, descriptor(0, 0xfff, 0x409700));
    this.gdt(SEL.ldt, descriptor(AT.ldt, 0xff, 0x8200));
    this.gdt(SEL.ldt + 8, 0n);
    this.gdt(SEL.free, 0n);
    this.gdt(SEL.free + 8, 0n);
    for (let v = 0; v < 256; v++) {
      const handler = AT.handlers + v * 16;
      this.bytes(handler, Uint8Array.of(0xf4));
      if (long) this.gate64(v, SEL.code64, handler, 0x8e00);
      else this.gate32(v, SEL.code32, handler, 0x8e00);
      this.view.setUint16(v * 4, handler, true);
      this.view.setUint16(v * 4 + 2, 0, true);
    }
    // TSS: stacks of level 0 and 1, then the I/O bitmap
    for (let i = 0; i < 0x68; i += 4) this.write32(AT.tss + i, 0);
    if (long) {
      this.write64(AT.tss + 4, BigInt(AT.stack0));
      this.write64(AT.tss + 12, BigInt(AT.stack1));
      this.write64(AT.tss + 0x24, BigInt(AT.ist));
    } else {
      this.write32(AT.tss + 4, AT.stack0);
      this.write32(AT.tss + 8, SEL.data32);
    }
    this.view.setUint16(AT.tss + 0x66, 0x68, true);
  }

  gate32(v: number, selector: number, offset: number, flags: number): void {
    if (v < 256) {
      this.write32(AT.idt + v * 8, (selector << 16) | (offset & 0xffff));
      this.write32(AT.idt + v * 8 + 4, (offset & 0xffff_0000) | flags);
    }
  }

  gate64(v: number, selector: number, offset: number, flags: number, ist = 0): void {
    this.write32(AT.idt + v * 16, (selector << 16) | (offset & 0xffff));
    this.write32(AT.idt + v * 16 + 4, (offset & 0xffff_0000) | flags | ist);
    this.write64(AT.idt + v * 16 + 8, 0n);
  }

  /** Identity page tables for long mode: the first 2 MiB in 4 KiB pages, all user accessible. */
  #paging(long: boolean): void {
    if (!long) return;
    const [pdpt, pd, pt] = [AT.pml4 + 0x1000, AT.pml4 + 0x2000, AT.pml4 + 0x3000];
    for (let at: number = AT.pml4; at < AT.pml4 + 0x4000; at += 8) this.write64(at, 0n);
    this.write64(AT.pml4, BigInt(pdpt | 7));
    this.write64(pdpt, BigInt(pd | 7));
    this.write64(pd, BigInt(pt | 7));
    this.write64(pd + 8, 0x20_0087n);
    for (let i = 0; i < 512; i++) this.write64(pt + i * 8, BigInt((i << 12) | 7));
  }

  /** Page table entry of an address below 2 MiB in long mode. */
  pte(address: number): number {
    return AT.pml4 + 0x3000 + (address >>> 12) * 8;
  }

  /** Sets RFLAGS. */
  flags(value: number): void {
    this.cpu.rflags = value;
  }

  /** Runs until HLT or the budget's end; returns the exit reason. */
  run(budget = 1000): number {
    this.cpu.stateChanged();
    return this.cpu.run(budget);
  }

  /** Vector whose handler stopped the processor, or -1. */
  get stoppedAt(): number {
    const rip = Number(this.state.getBig('rip')) - 1 - AT.handlers;
    return rip >= 0 && rip < 4096 && rip % 16 === 0 ? rip / 16 : -1;
  }

  reg(n: number): bigint {
    return this.state.getBig('regs', n);
  }
}

import type { CoreNote, CpuCoreFile, LinearRange, RegisterView } from '@sterna/core';

const [EM_386, EM_X86_64] = [3, 62];
const NT_PRSTATUS = 1;
const [CR0_PG, CR4_PSE, CR4_PAE, EFER_LMA] = [0x8000_0000n, 0x10n, 0x20n, 0x400n];

/** Registers of NT_PRSTATUS, in order (Linux' user_regs_struct); `orig` has no register. */
const REGS64 =
  'r15 r14 r13 r12 rbp rbx r11 r10 r9 r8 rax rcx rdx rsi rdi orig rip cs.selector rflags rsp ss.selector fs.base gs.base ds.selector es.selector fs.selector gs.selector'.split(
    ' ',
  );
const REGS32 =
  'rbx rcx rdx rsi rdi rbp rax ds.selector es.selector fs.selector gs.selector orig rip cs.selector rflags rsp ss.selector'.split(
    ' ',
  );
/** Where registers and process id stand in NT_PRSTATUS, and its size. */
const STATUS64 = { size: 336, pid: 32, registers: 112 } as const;
const STATUS32 = { size: 144, pid: 24, registers: 72 } as const;

/** Registers of QEMU's own note (QEMUCPUState, version 1). */
const QEMU_REGS = 'rax rbx rcx rdx rsi rdi rsp rbp r8 r9 r10 r11 r12 r13 r14 r15 rip rflags'.split(' ');
const QEMU_SEGMENTS = 'cs ds es fs gs ss ldt tr gdt idt'.split(' ');
const QEMU_STATE = { version: 1, size: 440 } as const;

/** What the core file needs of a vCPU. */
export interface CoreFileCpu {
  readonly index: number;
  registers(): readonly RegisterView[];
  /** Reads a little-endian word of physical memory. */
  readPhysical(address: number, size: 4 | 8): bigint;
}

/** The forms of an x86 vCPU in core files. */
export class X86CoreFile implements CpuCoreFile {
  readonly #cpu: CoreFileCpu;

  constructor(cpu: CoreFileCpu) {
    this.#cpu = cpu;
  }

  get machine(): number {
    return this.#isLong(this.#values()) ? EM_X86_64 : EM_386;
  }

  notes(machine: number): { readonly status: CoreNote; readonly full: CoreNote } {
    const values = this.#values();
    return {
      status: { name: 'CORE', type: NT_PRSTATUS, bytes: this.#status(values, machine === EM_X86_64) },
      full: { name: 'QEMU', type: 0, bytes: fullState(values) },
    };
  }

  #values(): Values {
    const byName = new Map(this.#cpu.registers().map((register) => [register.name, register]));
    return (name) => byName.get(name)?.read() ?? 0n;
  }

  #isLong(value: Values): boolean {
    return (value('efer') & EFER_LMA) !== 0n;
  }

  #status(value: Values, isLong: boolean): Uint8Array {
    const { size, pid, registers } = isLong ? STATUS64 : STATUS32;
    const bytes = new Uint8Array(size);
    const view = new DataView(bytes.buffer);
    view.setUint32(pid, this.#cpu.index + 1, true);
    for (const [index, name] of (isLong ? REGS64 : REGS32).entries())
      if (isLong) view.setBigUint64(registers + index * 8, value(name), true);
      else view.setUint32(registers + index * 4, Number(value(name) & 0xffff_ffffn), true);
    return bytes;
  }

  mappings(isMemory: (physical: number) => boolean): readonly LinearRange[] | undefined {
    const value = this.#values();
    if ((value('cr0') & CR0_PG) === 0n) return undefined;
    const walk = new PageWalk((address, size) => this.#cpu.readPhysical(address, size), isMemory);
    const root = value('cr3');
    if (this.#isLong(value)) walk.table(Number(root & 0xf_ffff_ffff_f000n), 39n, 0n);
    else if ((value('cr4') & CR4_PAE) !== 0n) walk.pointers(Number(root & 0xffff_ffe0n));
    else walk.directory32(Number(root & 0xffff_f000n), (value('cr4') & CR4_PSE) !== 0n);
    return walk.ranges;
  }
}

type Values = (name: string) => bigint;

function fullState(value: Values): Uint8Array {
  const bytes = new Uint8Array(QEMU_STATE.size);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, QEMU_STATE.version, true);
  view.setUint32(4, QEMU_STATE.size, true);
  let at = 8;
  const put = (word: bigint): void => {
    view.setBigUint64(at, word, true);
    at += 8;
  };
  for (const name of QEMU_REGS) put(value(name));
  for (const name of QEMU_SEGMENTS) {
    view.setUint32(at, Number(value(`${name}.selector`)), true);
    view.setUint32(at + 4, Number(value(`${name}.limit`)), true);
    view.setUint32(at + 8, Number(value(`${name}.flags`)), true);
    at += 16;
    put(value(`${name}.base`));
  }
  for (const name of ['cr0', 'cr1', 'cr2', 'cr3', 'cr4']) put(value(name));
  put(value('kernel-gs-base'));
  return bytes;
}

const PRESENT = 1n;
const LARGE = 0x80n;
const ADDRESS = 0xf_ffff_ffff_f000n;

/** Walks page tables (SDM vol. 3A §4) and joins what is consecutive. */
class PageWalk {
  readonly ranges: { virtual: bigint; physical: number; length: number }[] = [];
  readonly #read: CoreFileCpu['readPhysical'];
  readonly #isMemory: (physical: number) => boolean;

  constructor(read: CoreFileCpu['readPhysical'], isMemory: (physical: number) => boolean) {
    this.#read = read;
    this.#isMemory = isMemory;
  }

  /** A table of 512 entries that each map 2^shift bytes. */
  table(at: number, shift: bigint, base: bigint): void {
    for (let index = 0; index < 512; index++) {
      const entry = this.#read(at + index * 8, 8);
      if ((entry & PRESENT) === 0n) continue;
      const virtual = BigInt.asUintN(64, BigInt.asIntN(48, base + (BigInt(index) << shift)));
      this.#entry(entry, shift, virtual);
    }
  }

  #entry(entry: bigint, shift: bigint, virtual: bigint): void {
    const size = 1n << shift;
    const isPage = shift === 12n || ((shift === 21n || shift === 30n) && (entry & LARGE) !== 0n);
    // A large page's lowest address bit is PAT, not address.
    if (isPage) this.#add(virtual, Number(entry & ADDRESS & ~(size - 1n)), Number(size));
    else this.table(Number(entry & ADDRESS), shift - 9n, virtual);
  }

  /** PAE: four pointers to directories. */
  pointers(at: number): void {
    for (let index = 0; index < 4; index++) {
      const entry = this.#read(at + index * 8, 8);
      if ((entry & PRESENT) !== 0n) this.table(Number(entry & ADDRESS), 21n, BigInt(index) << 30n);
    }
  }

  /** 32-bit paging: two levels of 1024 entries. */
  directory32(at: number, hasLarge: boolean): void {
    for (let index = 0; index < 1024; index++) {
      const entry = this.#read(at + index * 4, 4);
      if ((entry & PRESENT) === 0n) continue;
      const virtual = BigInt(index) << 22n;
      if (hasLarge && (entry & LARGE) !== 0n) {
        const high = (entry & 0x1fe000n) << 19n;
        this.#add(virtual, Number(high | (entry & 0xffc0_0000n)), 1 << 22);
      } else this.#table32(Number(entry & 0xffff_f000n), virtual);
    }
  }

  #table32(at: number, base: bigint): void {
    for (let index = 0; index < 1024; index++) {
      const entry = this.#read(at + index * 4, 4);
      if ((entry & PRESENT) !== 0n) this.#add(base + (BigInt(index) << 12n), Number(entry & 0xffff_f000n), 4096);
    }
  }

  #add(virtual: bigint, physical: number, length: number): void {
    if (!this.#isMemory(physical)) return;
    const last = this.ranges.at(-1);
    if (
      last !== undefined &&
      last.virtual + BigInt(last.length) === virtual &&
      last.physical + last.length === physical
    )
      last.length += length;
    else this.ranges.push({ virtual, physical, length });
  }
}

import type { VCpu } from '@sterna/core';

/** Register values with which a boot protocol enters a kernel. */
export interface BootState {
  /** 32-bit protected mode without paging, or 64-bit mode with the loader's page tables. */
  readonly mode: 'protected' | 'long';
  readonly rip: number;
  readonly rax?: number;
  readonly rbx?: number;
  readonly rsi?: number;
  readonly rsp: number;
  /** Guest address of the page tables; `long` only. */
  readonly cr3?: number;
  readonly gdt: { readonly base: number; readonly limit: number };
  readonly code: number;
  readonly data: number;
  readonly task: number;
}

const CR0_PE = 0x1n;
const CR0_ET = 0x10n;
const CR0_PG = 0x8000_0000n;
const CR4_PAE = 0x20n;
const EFER_LME_LMA = 0x500n;
/** Descriptor attribute words as bits 8-23 of a descriptor's second half, the form of QEMU's `segs[].flags`. */
export const SEGMENT_FLAGS = {
  code32: 0xcf_9b00,
  code64: 0xaf_9b00,
  data: 0xcf_9300,
  tss: 0x8b00,
  ldt: 0x8200,
} as const;

/** Content of the boot GDT: two empty entries, code, data and a busy TSS, at the selectors Linux's protocol names. */
export const BOOT_SELECTORS = { code: 0x10, data: 0x18, task: 0x20 } as const;

/** The boot GDT as bytes. */
export function bootGdt(mode: BootState['mode']): Uint8Array {
  const bytes = new Uint8Array(5 * 8);
  const entries = new BigUint64Array(bytes.buffer);
  entries[2] = mode === 'long' ? 0x00af_9b00_0000_ffffn : 0x00cf_9b00_0000_ffffn;
  entries[3] = 0x00cf_9300_0000_ffffn;
  entries[4] = 0x0000_8b00_0000_0067n;
  return bytes;
}

/**
 * Page tables that map the first 4 GiB one to one with 2 MiB pages: PML4, PDPT and four directories in a row.
 *
 * @param base Guest address of the result, page-aligned.
 */
export function identityPageTables(base: number): Uint8Array {
  const bytes = new Uint8Array(6 * 4096);
  const entries = new BigUint64Array(bytes.buffer);
  const present = 0x3n;
  const large = 0x83n;
  entries[0] = BigInt(base + 4096) | present;
  for (let i = 0; i < 4; i++) entries[512 + i] = BigInt(base + (2 + i) * 4096) | present;
  for (let i = 0; i < 2048; i++) entries[1024 + i] = (BigInt(i) << 21n) | large;
  return bytes;
}

/** Enters `state` on a CPU that was just reset. */
export function applyBootState(cpu: VCpu, state: BootState): void {
  const registers = new Map(cpu.registers().map((register) => [register.name, register]));
  const set = (name: string, value: bigint): void => {
    const register = registers.get(name);
    if (register === undefined) throw new TypeError(`the CPU has no register '${name}' for a direct boot`);
    register.write(value);
  };
  const segment = (name: string, selector: number, limit: bigint, flags: number): void => {
    set(`${name}.selector`, BigInt(selector));
    set(`${name}.base`, 0n);
    set(`${name}.limit`, limit);
    set(`${name}.flags`, BigInt(flags));
  };
  const long = state.mode === 'long';
  set('gdt.base', BigInt(state.gdt.base));
  set('gdt.limit', BigInt(state.gdt.limit));
  set('idt.base', 0n);
  set('idt.limit', 0n);
  if (state.cr3 !== undefined) set('cr3', BigInt(state.cr3));
  set('cr4', long ? CR4_PAE : 0n);
  set('efer', long ? EFER_LME_LMA : 0n);
  set('cr0', CR0_PE | CR0_ET | (long ? CR0_PG : 0n));
  segment('cs', state.code, 0xffff_ffffn, long ? SEGMENT_FLAGS.code64 : SEGMENT_FLAGS.code32);
  for (const name of ['ds', 'es', 'fs', 'gs', 'ss']) segment(name, state.data, 0xffff_ffffn, SEGMENT_FLAGS.data);
  segment('tr', state.task, 0x67n, SEGMENT_FLAGS.tss);
  set('rip', BigInt(state.rip));
  set('rflags', 0x2n);
  for (const name of ['rcx', 'rdx', 'rdi', 'rbp']) set(name, 0n);
  set('rax', BigInt(state.rax ?? 0));
  set('rbx', BigInt(state.rbx ?? 0));
  set('rsi', BigInt(state.rsi ?? 0));
  set('rsp', BigInt(state.rsp));
}

import { expect } from 'vitest';
import type { Box } from './box.ts';
import { AT } from './box.ts';
import type { Row } from './delivery-cases.ts';

/** A case that also says what CR2 holds. */
export interface PagingRow extends Row {
  readonly cr2?: number | bigint;
}

const PAGE = 0x1_2000;
const set = (value: bigint) => (b: Box) => b.write64(b.pte(PAGE), value);
const P = 1n;
const RW = 2n;
const US = 4n;
const A = 0x20n;
const D = 0x40n;
const HIGH = 1n << 45n;
const NX = 1n << 63n;
const frame = BigInt(PAGE);
const READ = `mov rax, [${PAGE}]\nhlt`;
const WRITE = `mov [${PAGE}], rax\nhlt`;

/** Stops at HLT in user mode with #GP: reads and writes that succeed in ring 3 end with UD2 instead. */
const OK = 6;

/** Page faults, A/D bits and TLB maintenance in long mode. */
export const PAGING_CASES: readonly PagingRow[] = [
  {
    name: 'read of a page that is not present',
    mode: 'long',
    code: READ,
    setup: set(0n),
    vector: 14,
    error: 0,
    cr2: PAGE,
  },
  {
    name: 'write of a page that is not present',
    mode: 'long',
    code: WRITE,
    setup: set(0n),
    vector: 14,
    error: 2,
    cr2: PAGE,
  },
  { name: 'user read, not present', mode: 'user64', code: READ, setup: set(0n), vector: 14, error: 4, cr2: PAGE },
  { name: 'user write, not present', mode: 'user64', code: WRITE, setup: set(0n), vector: 14, error: 6, cr2: PAGE },
  {
    name: 'user read of a supervisor page',
    mode: 'user64',
    code: READ,
    setup: set(frame | P | RW),
    vector: 14,
    error: 5,
    cr2: PAGE,
  },
  {
    name: 'user write of a supervisor page',
    mode: 'user64',
    code: WRITE,
    setup: set(frame | P | RW),
    vector: 14,
    error: 7,
    cr2: PAGE,
  },
  {
    name: 'user write of a read-only page',
    mode: 'user64',
    code: WRITE,
    setup: set(frame | P | US),
    vector: 14,
    error: 7,
    cr2: PAGE,
  },
  {
    name: 'supervisor write of a read-only page with CR0.WP',
    mode: 'long',
    code: WRITE,
    setup: (b) => {
      set(frame | P | US)(b);
      b.state.setBig('cr0', 0x8001_0031n);
    },
    vector: 14,
    error: 3,
    cr2: PAGE,
  },
  {
    name: 'supervisor write of a read-only page without CR0.WP',
    mode: 'long',
    code: `mov [${PAGE}], rax\nud2`,
    setup: (b) => {
      set(frame | P)(b);
      b.state.setBig('cr0', 0x8000_0031n);
    },
    vector: OK,
    check: (b) => expect(b.read64(b.pte(PAGE))).toBe(frame | P | A | D),
  },
  {
    name: 'reserved bit, read',
    mode: 'long',
    code: READ,
    setup: set(frame | P | RW | US | HIGH),
    vector: 14,
    error: 9,
    cr2: PAGE,
  },
  {
    name: 'reserved bit, user write',
    mode: 'user64',
    code: WRITE,
    setup: set(frame | P | RW | US | HIGH),
    vector: 14,
    error: 15,
    cr2: PAGE,
  },
  {
    name: 'NX is reserved without EFER.NXE',
    mode: 'long',
    code: READ,
    setup: (b) => {
      set(frame | P | RW | US | NX)(b);
      b.state.setBig('efer', 0x501n);
    },
    vector: 14,
    error: 9,
    cr2: PAGE,
  },
  {
    name: 'NX does not stop reads',
    mode: 'long',
    code: `mov rax, [${PAGE}]\nud2`,
    setup: set(frame | P | RW | US | NX),
    vector: OK,
  },
  {
    name: 'execution of an NX page',
    mode: 'long',
    code: `mov rax, ${PAGE}\njmp rax`,
    setup: set(frame | P | RW | US | NX),
    vector: 14,
    error: 0x11,
    cr2: PAGE,
  },
  {
    name: 'user execution of an NX page',
    mode: 'user64',
    code: `mov rax, ${PAGE}\njmp rax`,
    setup: set(frame | P | RW | US | NX),
    vector: 14,
    error: 0x15,
    cr2: PAGE,
  },
  {
    name: 'execution of a page that is not present',
    mode: 'long',
    code: `mov rax, ${PAGE}\njmp rax`,
    setup: set(0n),
    vector: 14,
    error: 0x10,
    cr2: PAGE,
  },
  {
    name: 'the U/S bit counts at every level',
    mode: 'user64',
    code: READ,
    setup: (b) => {
      // the second 1 GiB entry's tables are reached through a supervisor-only entry
      b.write64(AT.pml4 + 0x1000 + 8, BigInt(AT.pml4 + 0x2000) | 3n);
      b.code('user64', 'mov rax, [0x40012000]\nud2');
    },
    vector: 14,
    error: 5,
    cr2: 0x4001_2000,
  },
  {
    name: 'PS in a PML4 entry is reserved',
    mode: 'long',
    code: 'mov rax, 0x8000000000\nmov rax, [rax]\nhlt',
    setup: (b) => b.write64(AT.pml4 + 8, BigInt(AT.pml4 + 0x1000) | 0x87n),
    vector: 14,
    error: 9,
    cr2: 0x80_0000_0000,
  },
  {
    name: 'low frame bits of a 2 MiB page are reserved',
    mode: 'long',
    code: 'mov rax, [0x200000]\nhlt',
    setup: (b) => b.write64(AT.pml4 + 0x2008, 0x20_2087n),
    vector: 14,
    error: 9,
    cr2: 0x20_0000,
  },
  {
    name: 'PAT of a 2 MiB page is not reserved',
    mode: 'long',
    code: 'mov rax, [0x200000]\nud2',
    setup: (b) => b.write64(AT.pml4 + 0x2008, 0x20_1087n),
    vector: OK,
  },
  {
    name: 'a 1 GiB page',
    mode: 'long',
    code: 'mov rax, [0x40012000]\nud2',
    setup: (b) => {
      b.write64(AT.pml4 + 0x1008, 0x87n);
      b.write64(PAGE, 0x1234n);
    },
    vector: OK,
    check: (b) => expect(b.reg(0)).toBe(0x1234n),
  },
  {
    name: 'reading sets A alone',
    mode: 'long',
    code: `mov rax, [${PAGE}]\nud2`,
    setup: set(frame | P | RW),
    vector: OK,
    check: (b) => expect(b.read64(b.pte(PAGE))).toBe(frame | P | RW | A),
  },
  {
    name: 'writing sets A and D',
    mode: 'long',
    code: `mov [${PAGE}], rax\nud2`,
    setup: set(frame | P | RW),
    vector: OK,
    check: (b) => expect(b.read64(b.pte(PAGE))).toBe(frame | P | RW | A | D),
  },
  {
    name: 'a write after a read sets D',
    mode: 'long',
    code: `mov rax, [${PAGE}]\nmov [${PAGE}], rax\nud2`,
    setup: set(frame | P | RW),
    vector: OK,
    check: (b) => expect(b.read64(b.pte(PAGE))).toBe(frame | P | RW | A | D),
  },
  {
    name: 'a fault sets neither',
    mode: 'user64',
    code: WRITE,
    setup: set(frame | P | US),
    vector: 14,
    error: 7,
    check: (b) => expect(b.read64(b.pte(PAGE))).toBe(frame | P | US),
  },
  {
    name: 'an address that is not canonical',
    mode: 'long',
    code: 'mov rax, 0x800000000000\nmov rax, [rax]',
    vector: 13,
    error: 0,
  },
  {
    name: 'not canonical with RSP as base',
    mode: 'long',
    code: 'mov rax, 0x800000000000\nmov rsp, rax\nmov rax, [rsp]',
    setup: (b) => b.gate64(12, 0x18, AT.handlers + 192, 0x8e00, 1),
    vector: 12,
    error: 0,
  },
  {
    name: 'not canonical push',
    mode: 'long',
    code: 'mov rsp, 0x800000000008\npush rax',
    setup: (b) => b.gate64(12, 0x18, AT.handlers + 192, 0x8e00, 1),
    vector: 12,
    error: 0,
  },
  {
    name: 'jump to an address that is not canonical',
    mode: 'long',
    code: 'mov rax, 0x800000000000\njmp rax',
    vector: 13,
    error: 0,
  },
  {
    name: 'a write across pages faults before anything is written',
    mode: 'long',
    code: `mov rax, -1\nmov [${PAGE - 4}], rax\nhlt`,
    setup: (b) => {
      set(0n)(b);
      b.write64(PAGE - 8, 0n);
    },
    vector: 14,
    error: 2,
    cr2: PAGE,
    check: (b) => expect(b.read64(PAGE - 8)).toBe(0n),
  },
  {
    name: 'a fault in the first of two pages shows the access address',
    mode: 'long',
    code: `mov rax, [${PAGE + 0xffc}]\nhlt`,
    setup: set(0n),
    vector: 14,
    error: 0,
    cr2: PAGE + 0xffc,
  },
  {
    name: 'INVLPG makes a changed entry visible',
    mode: 'long',
    code: `mov rax, [${PAGE}]\nmov qword [${AT.pml4 + 0x3000 + (PAGE >>> 12) * 8}], 0x13003\ninvlpg [${PAGE}]\nmov rax, [${PAGE}]\nud2`,
    setup: (b) => b.write64(0x1_3000, 77n),
    vector: OK,
    check: (b) => expect(b.reg(0)).toBe(77n),
  },
  {
    name: 'INVLPG drops every part of a large page',
    mode: 'long',
    code: `mov rax, [0x201000]\nmov rax, [0x205000]\nmov qword [${AT.pml4 + 0x2008}], 0x83\ninvlpg [0x200008]\nmov rax, [0x205000]\nmov rbx, [0x201000]\nud2`,
    setup: (b) => b.write64(0x1000, 5n),
    vector: OK,
    check: (b) => expect(b.reg(3)).toBe(5n),
  },
  {
    name: 'a CR3 load drops pages that are not global',
    mode: 'long',
    code: `mov rax, [${PAGE}]\nmov qword [${AT.pml4 + 0x3000 + (PAGE >>> 12) * 8}], 0x13003\nmov rax, cr3\nmov cr3, rax\nmov rax, [${PAGE}]\nud2`,
    setup: (b) => b.write64(0x1_3000, 77n),
    vector: OK,
    check: (b) => expect(b.reg(0)).toBe(77n),
  },
  {
    name: 'a CR3 load keeps global pages',
    mode: 'long',
    code: `mov rax, cr4\nor rax, 0x80\nmov cr4, rax\nmov rax, [${PAGE}]\nmov qword [${AT.pml4 + 0x3000 + (PAGE >>> 12) * 8}], 0x13003\nmov rax, cr3\nmov cr3, rax\nmov rax, [${PAGE}]\nud2`,
    setup: (b) => {
      set(frame | P | RW | 0x100n)(b);
      b.write64(PAGE, 1n);
      b.write64(0x1_3000, 77n);
    },
    vector: OK,
    check: (b) => expect(b.reg(0)).toBe(1n),
  },
  {
    name: 'clearing CR4.PGE drops global pages',
    mode: 'long',
    code: `mov rax, cr4\nor rax, 0x80\nmov cr4, rax\nmov rax, [${PAGE}]\nmov qword [${AT.pml4 + 0x3000 + (PAGE >>> 12) * 8}], 0x13003\nmov rax, cr4\nand rax, ~0x80\nmov cr4, rax\nmov rax, [${PAGE}]\nud2`,
    setup: (b) => {
      set(frame | P | RW | 0x100n)(b);
      b.write64(0x1_3000, 77n);
    },
    vector: OK,
    check: (b) => expect(b.reg(0)).toBe(77n),
  },
];

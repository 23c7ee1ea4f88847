import { expect } from 'vitest';
import { AT, type Box, descriptor, SEL } from './box.ts';
import type { Row } from './delivery-cases.ts';

/** Where the other task's TSS is, and its code. */
const OTHER = 0x1_4000;
const CODE = AT.code + 0x100;
const LDT = 0x88;
/** A data segment of level 3 that is not present. */
const ABSENT = 0x98;

/** Descriptors and the TSS of another 32-bit task; fields of the TSS can be replaced. */
function task(b: Box, fields: Readonly<Record<number, number>> = {}, code = 'hlt'): void {
  for (let i = 0; i < 0x68; i += 4) b.write32(OTHER + i, 0);
  const all: Record<number, number> = {
    32: CODE,
    36: 2,
    40: 0xaaaa_0001,
    56: AT.stack1,
    72: SEL.data32,
    76: SEL.code32,
    80: SEL.data32,
    84: SEL.data32,
    88: SEL.data32,
    92: SEL.data32,
    100: 0x68_0000,
    ...fields,
  };
  for (const [at, value] of Object.entries(all)) b.write32(OTHER + Number(at), value);
  b.gdt(SEL.free, descriptor(OTHER, 0x67, 0x8900));
  b.gdt(ABSENT, descriptor(0, 0xfffff, 0xc07300));
  b.state.set('trLimit', 0x67);
  b.code('prot32', code, CODE);
}
const JMP = `jmp ${SEL.free}:0`;
const CALL = `call ${SEL.free}:0`;
const user = (fields: Readonly<Record<number, number>> = {}): Record<number, number> => ({
  72: SEL.userData,
  76: SEL.user32,
  80: SEL.userData,
  84: SEL.userData,
  88: 0,
  92: 0,
  ...fields,
});
/** A gate of vector `v` to the other task. */
const gate = (b: Box, v: number): void => b.gate32(v, SEL.free, 0, 0xe500);
const LDT_DESCRIPTOR = descriptor(AT.ldt, 0x3f, 0x8200);

const faultOfNew = (name: string, field: number, value: number, vector: number, error = value & 0xfffc): Row => ({
  name: `new task: ${name}`,
  mode: 'prot32',
  code: JMP,
  // at level 3, so that the handler has a stack whatever happens to SS
  setup: (b) => task(b, user({ 4: AT.stack0, 8: SEL.data32, [field]: value })),
  vector,
  error,
  check: (b) => expect(b.state.get('trSel')).toBe(SEL.free),
});
const faultOfOld = (name: string, code: string, setup: (b: Box) => void, vector: number, error: number): Row => ({
  name: `old task: ${name}`,
  mode: 'prot32',
  code,
  setup: (b) => {
    task(b);
    setup(b);
  },
  vector,
  error,
  at: 0,
  check: (b) => expect(b.state.get('trSel')).toBe(SEL.tss),
});

/** Task switches with everything that can go wrong. */
export const TASK_CASES: readonly Row[] = [
  faultOfOld('not present', JMP, (b) => b.gdt(SEL.free, descriptor(OTHER, 0x67, 0x0900)), 11, SEL.free),
  faultOfOld('busy, JMP', JMP, (b) => b.gdt(SEL.free, descriptor(OTHER, 0x67, 0x8b00)), 13, SEL.free),
  faultOfOld('busy, CALL', CALL, (b) => b.gdt(SEL.free, descriptor(OTHER, 0x67, 0x8b00)), 13, SEL.free),
  faultOfOld('short', JMP, (b) => b.gdt(SEL.free, descriptor(OTHER, 0x66, 0x8900)), 10, SEL.free),
  faultOfOld('short 16-bit', JMP, (b) => b.gdt(SEL.free, descriptor(OTHER, 0x2a, 0x8100)), 10, SEL.free),
  faultOfOld(
    'gate to no TSS',
    `jmp ${SEL.notPresent}:0`,
    (b) => b.gdt(SEL.notPresent, (BigInt(SEL.data32) << 16n) | (0x8500n << 32n)),
    13,
    SEL.data32,
  ),
  faultOfOld(
    'gate to a selector of the LDT',
    `jmp ${SEL.notPresent}:0`,
    (b) => b.gdt(SEL.notPresent, (BigInt(SEL.free | 4) << 16n) | (0x8500n << 32n)),
    13,
    SEL.free | 4,
  ),
  faultOfOld(
    'gate not present',
    `jmp ${SEL.notPresent}:0`,
    (b) => b.gdt(SEL.notPresent, (BigInt(SEL.free) << 16n) | (0x0500n << 32n)),
    11,
    SEL.notPresent,
  ),
  {
    name: 'IRET with NT to a TSS that is not busy',
    mode: 'prot32',
    code: 'iretd',
    setup: (b) => {
      task(b);
      b.view.setUint16(AT.tss, SEL.free, true);
      b.flags(0x4002);
    },
    vector: 10,
    error: SEL.free,
    at: 0,
  },
  {
    name: 'IRET with NT in 64-bit mode',
    mode: 'long',
    code: 'iretq',
    setup: (b) => b.flags(0x4002),
    vector: 13,
    error: 0,
    at: 0,
  },
  {
    name: 'JMP to a TSS at level 3',
    mode: 'user32',
    code: JMP,
    setup: (b) => task(b),
    vector: 13,
    error: SEL.free,
    at: 0,
  },
  faultOfNew('SS null', 80, 0, 10),
  faultOfNew('SS read-only', 80, SEL.readOnly, 10),
  faultOfNew('SS of another level', 80, SEL.data32, 10),
  faultOfNew('SS outside the GDT', 80, 0x1000, 10),
  faultOfNew('DS not readable', 84, SEL.execOnly, 10),
  faultOfNew('DS of the system', 84, SEL.tss, 10),
  faultOfNew('FS not present', 88, ABSENT | 3, 11),
  faultOfNew('GS outside the LDT', 92, 0x104, 10),
  faultOfNew('LDT in the LDT', 96, 4, 10, 4),
  faultOfNew('LDT is no LDT', 96, SEL.data32, 10),
  {
    name: 'a task of level 3 with an LDT',
    mode: 'prot32',
    code: JMP,
    setup: (b) => {
      task(b, user({ 96: LDT, 92: 7 }), 'mov eax, gs\nmov ebx, cs\nint3');
      b.gdt(LDT, LDT_DESCRIPTOR);
      b.write64(AT.ldt, descriptor(0, 0xfffff, 0xc0f300));
      b.gate32(3, SEL.code32, AT.handlers + 48, 0xee00);
      b.write32(OTHER + 4, AT.stack0);
      b.write32(OTHER + 8, SEL.data32);
    },
    vector: 3,
    check: (b) => expect([b.reg(0), b.reg(3)]).toEqual([7n, BigInt(SEL.user32)]),
  },
  {
    name: 'CALL and IRET keep NT and the busy bits',
    mode: 'prot32',
    code: `${CALL}\npushfd\npop ecx\nint3`,
    setup: (b) => task(b, {}, 'pushfd\npop edx\niretd'),
    vector: 3,
    check: (b) => expect([b.reg(1), b.state.get('trSel')]).toEqual([2n, SEL.tss]),
  },
  {
    name: 'an interrupt through a task gate and back',
    mode: 'user32',
    code: 'int 0x40\nmov eax, 5\nint3',
    setup: (b) => {
      task(b, {}, 'mov edx, 9\niretd');
      gate(b, 0x40);
      b.gate32(3, SEL.code32, AT.handlers + 48, 0xee00);
    },
    vector: 3,
    at: 8,
    check: (b) => expect(b.reg(0)).toBe(5n),
  },
  {
    name: 'the trap flag of a TSS',
    mode: 'prot32',
    code: JMP,
    setup: (b) => task(b, { 100: 0x68_0001 }),
    vector: 1,
    check: (b) => {
      expect(b.state.getBig('dr', 6) & 0xffffn).toBe(0x8ff0n);
      expect(b.read32(Number(b.reg(4)))).toBe(CODE);
    },
  },
  {
    name: 'a VM86 task',
    mode: 'prot32',
    code: JMP,
    setup: (b) => {
      const segments = { 72: 0x100, 76: 0, 80: 0x800, 84: 0x1000, 88: 0, 92: 0 };
      task(b, { ...segments, 36: 0x2_0002, 56: 0x1000 });
      b.write32(OTHER + 4, AT.stack0);
      b.write32(OTHER + 8, SEL.data32);
      b.code('vm86', 'mov ax, ds\nhlt', CODE);
    },
    vector: 13,
    error: 0,
    check: (b) => expect(b.reg(0) & 0xffffn).toBe(0x1000n),
  },
];

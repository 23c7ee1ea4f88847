import { expect } from 'vitest';
import { AT, type Box, descriptor, type Features, type Mode, SEL } from './box.ts';

/** One instruction sequence and the exception it ends with. */
export interface Row {
  readonly name: string;
  readonly mode: Mode;
  readonly code: string;
  readonly setup?: (b: Box) => void;
  readonly features?: Features;
  /** Vector whose handler runs; 'shutdown' for a triple fault. */
  readonly vector: number | 'shutdown';
  readonly error?: number;
  /** Pushed return address relative to the code, in bytes. */
  readonly at?: number;
  readonly check?: (b: Box) => void;
}

const HANDLER = (v: number): number => AT.handlers + v * 16;

/** A level 3 gate for software interrupts. */
const userGate = (v: number) => (b: Box) => b.gate32(v, SEL.code32, HANDLER(v), 0xee00);
const userGate64 = (v: number) => (b: Box) => b.gate64(v, SEL.code64, HANDLER(v), 0xee00);

const range = (first: number, count: number): number[] => Array.from({ length: count }, (_, i) => first + i);
const CPUID_LEAVES = [
  ...range(0, 0x11),
  0x1000,
  ...range(0x4000_0000, 3),
  0x5000_0000,
  ...range(0x8000_0000, 0xd),
  0x8000_0100,
  0xc000_0000,
];

/** Exceptions and their error codes in all modes. */
export const DELIVERY_CASES: readonly Row[] = [
  // simple exceptions
  { name: '#DE is a fault', mode: 'prot32', code: 'xor edx, edx\nxor ecx, ecx\ndiv ecx', vector: 0, at: 4 },
  { name: '#UD is a fault', mode: 'prot32', code: 'nop\nud2', vector: 6, at: 1 },
  { name: 'INT3 is a trap', mode: 'prot32', code: 'nop\nint3', vector: 3, at: 2 },
  { name: 'INTO with OF', mode: 'prot32', code: 'mov al, 127\nadd al, 1\ninto', vector: 4, at: 5 },
  { name: 'INT1 is a trap without a privilege check', mode: 'user32', code: 'db 0xf1', vector: 1, at: 1 },
  { name: 'HLT at level 3', mode: 'user32', code: 'hlt', vector: 13, error: 0, at: 0 },
  { name: 'HLT at level 3, 64 bits', mode: 'user64', code: 'nop\nhlt', vector: 13, error: 0, at: 1 },
  { name: 'CLI above IOPL', mode: 'user64', code: 'cli', vector: 13, error: 0 },
  {
    name: 'CLI with IOPL 3',
    mode: 'user64',
    code: 'cli\nud2',
    setup: (b) => b.flags(0x3002),
    vector: 6,
    at: 1,
  },
  { name: 'MOV CR at level 3', mode: 'user64', code: 'mov rax, cr0', vector: 13, error: 0 },
  { name: 'CR1 does not exist', mode: 'long', code: 'db 0x0f, 0x20, 0xc8', vector: 6 },
  { name: 'RDMSR at level 3', mode: 'user64', code: 'rdmsr', vector: 13, error: 0 },
  {
    name: 'SYSCALL without SCE',
    mode: 'user64',
    code: 'syscall',
    setup: (b) => b.state.setBig('efer', 0xd00n),
    vector: 6,
  },
  { name: 'SYSENTER does not exist in long mode on AMD', mode: 'long', code: 'sysenter', vector: 6 },
  { name: 'SYSEXIT with a null CS', mode: 'prot32', code: 'sysexit', vector: 13, error: 0 },
  { name: 'MWAIT does not exist', mode: 'long', code: 'db 0x0f, 0x01, 0xc9', vector: 6 },
  { name: 'RSM outside of SMM', mode: 'long', code: 'db 0x0f, 0xaa', vector: 6 },
  { name: 'LLDT in real mode', mode: 'real', code: 'db 0x0f, 0x00, 0xd0', vector: 6 },
  // software interrupts and gates
  {
    name: 'INT n through a level 0 gate from level 3',
    mode: 'user32',
    code: 'int 0x40',
    vector: 13,
    error: 0x202,
    at: 0,
  },
  { name: 'the same, 64 bits', mode: 'user64', code: 'int 0x40', vector: 13, error: 0x202, at: 0 },
  {
    name: 'INT n through a level 3 gate',
    mode: 'user32',
    code: 'int 0x40',
    setup: userGate(0x40),
    vector: 0x40,
    at: 2,
  },
  { name: 'the same, 64 bits', mode: 'user64', code: 'int 0x40', setup: userGate64(0x40), vector: 0x40, at: 2 },
  {
    name: 'INT n beyond the IDT',
    mode: 'prot32',
    code: 'int 0x40',
    setup: (b) => b.state.set('idtLimit', 0x1ff),
    vector: 13,
    error: 0x202,
  },
  {
    name: 'a gate of a wrong type',
    mode: 'prot32',
    code: 'int 0x40',
    setup: (b) => b.gate32(0x40, SEL.code32, 0, 0x8b00),
    vector: 13,
    error: 0x202,
  },
  {
    name: 'a gate that is not present',
    mode: 'prot32',
    code: 'int 0x40',
    setup: (b) => b.gate32(0x40, SEL.code32, 0, 0x0e00),
    vector: 11,
    error: 0x202,
  },
  {
    name: 'a 32-bit trap gate in long mode is no gate',
    mode: 'long',
    code: 'int 0x40',
    setup: (b) => b.gate64(0x40, SEL.code64, 0, 0x8500),
    vector: 13,
    error: 0x202,
  },
  {
    name: 'a null gate selector',
    mode: 'prot32',
    code: 'int 0x40',
    setup: (b) => b.gate32(0x40, 0, 0, 0x8e00),
    vector: 13,
    error: 0,
  },
  {
    name: 'a gate to data',
    mode: 'prot32',
    code: 'int 0x40',
    setup: (b) => b.gate32(0x40, SEL.data32, 0, 0x8e00),
    vector: 13,
    error: SEL.data32,
  },
  {
    name: 'a gate beyond the GDT',
    mode: 'prot32',
    code: 'int 0x40',
    setup: (b) => b.gate32(0x40, 0x1000, 0, 0x8e00),
    vector: 13,
    error: 0x1000,
  },
  {
    name: 'a gate to code that is not present',
    mode: 'prot32',
    code: 'int 0x40',
    setup: (b) => {
      b.gdt(SEL.free, descriptor(0, 0xfffff, 0xc01b00));
      b.gate32(0x40, SEL.free, 0, 0x8e00);
    },
    vector: 11,
    error: SEL.free,
  },
  {
    name: 'a gate to less privileged code',
    mode: 'prot32',
    code: 'int 0x40',
    setup: (b) => b.gate32(0x40, SEL.user32, 0, 0x8e00),
    vector: 13,
    error: SEL.user32 & ~3,
  },
  {
    name: 'a gate to 32-bit code in long mode',
    mode: 'long',
    code: 'int 0x40',
    setup: (b) => b.gate64(0x40, SEL.code32, 0, 0x8e00),
    vector: 13,
    error: SEL.code32,
  },
  {
    name: 'a gate to an offset beyond the limit',
    mode: 'prot32',
    code: 'int 0x40',
    setup: (b) => b.gate32(0x40, SEL.code16, 0x12345, 0x8e00),
    vector: 13,
    error: 0,
  },
  // stacks of inner levels; faults of faults carry EXT
  {
    name: 'an inner stack that is null',
    mode: 'user32',
    code: 'int 0x40',
    setup: (b) => {
      userGate(0x40)(b);
      b.write32(AT.tss + 8, 0);
    },
    vector: 'shutdown',
  },
  {
    name: 'IST gives another stack and aligns it',
    mode: 'long',
    code: 'mov rsp, 0x9004\nint 0x40',
    setup: (b) => b.gate64(0x40, SEL.code64, HANDLER(0x40), 0x8e00, 1),
    vector: 0x40,
    check: (b) => expect(b.reg(4)).toBe(BigInt(AT.ist - 40)),
  },
  {
    name: 'without IST the stack is aligned too',
    mode: 'long',
    code: 'mov rsp, 0x9004\nint 0x40',
    vector: 0x40,
    check: (b) => {
      expect(b.reg(4)).toBe(0x9000n - 40n);
      expect(b.read64(0x9000 - 16)).toBe(0x9004n);
    },
  },
  {
    name: 'a page fault inside a page fault',
    mode: 'long',
    code: 'mov eax, 0x8000000\nmov rax, [rax]',
    setup: (b) => {
      b.gate64(14, SEL.code64, HANDLER(14), 0x8e00, 1);
      b.write64(AT.tss + 0x24, 0x50_0000n);
    },
    check: (b) => expect(b.state.getBig('cr2')).toBe(0x4f_fff8n),
    vector: 8,
    error: 0,
  },
  {
    name: '#GP while delivering #GP is a double fault',
    mode: 'prot32',
    code: 'mov eax, 0x20\nmov ds, eax\nmov ds, [0x12345]',
    setup: (b) => {
      b.gdt(0x20, 0n);
      b.gate32(13, SEL.data32, 0, 0x8e00);
    },
    vector: 8,
    error: 0,
  },
  {
    name: '#UD then #GP is just #GP with EXT',
    mode: 'prot32',
    code: 'ud2',
    setup: (b) => b.gate32(6, SEL.data32, 0, 0x8e00),
    vector: 13,
    error: SEL.data32 | 1,
  },
  {
    name: '#UD then #NP of the gate is #NP with EXT and IDT',
    mode: 'prot32',
    code: 'ud2',
    setup: (b) => b.gate32(6, SEL.code32, 0, 0x0e00),
    vector: 11,
    error: 6 * 8 + 3,
  },
  {
    name: 'a third fault shuts down',
    mode: 'prot32',
    code: 'ud2',
    setup: (b) => b.state.set('idtLimit', 0),
    vector: 'shutdown',
  },
  {
    name: 'a third fault shuts down, long mode',
    mode: 'long',
    code: 'ud2',
    setup: (b) => b.state.set('idtLimit', 0),
    vector: 'shutdown',
  },
  {
    name: 'a third fault shuts down, real mode',
    mode: 'real',
    code: 'ud2',
    setup: (b) => b.state.set('idtLimit', 0),
    vector: 'shutdown',
  },
  // VM86
  { name: 'INT n in VM86 needs IOPL 3', mode: 'vm86', code: 'int 0x40', vector: 13, error: 0, at: 0 },
  {
    name: 'INT n in VM86 with IOPL 3',
    mode: 'vm86',
    code: 'int 0x40',
    setup: (b) => {
      userGate(0x40)(b);
      b.flags(0x2_3002);
      b.state.set('segSel', 0x1234, 3);
    },
    vector: 0x40,
    at: 2,
    check: (b) => {
      // EIP CS EFLAGS ESP SS ES DS FS GS; data segments are null in the handler
      const sp = Number(b.reg(4));
      expect(b.read32(sp + 8)).toBe(0x2_3002);
      expect(b.read32(sp + 24)).toBe(0x1234);
      expect(b.state.get('segSel', 3)).toBe(0);
      expect(b.state.get('eflags') & 0x2_0000).toBe(0);
    },
  },
  { name: 'PUSHF in VM86 needs IOPL 3', mode: 'vm86', code: 'pushf', vector: 13, error: 0 },
  { name: 'IRET in VM86 needs IOPL 3', mode: 'vm86', code: 'iret', vector: 13, error: 0 },
  // segment loads
  { name: 'MOV to CS', mode: 'prot32', code: 'db 0x8e, 0xc8', vector: 6 },
  {
    name: 'a selector beyond the table',
    mode: 'prot32',
    code: 'mov eax, 0x1003\nmov ds, eax',
    vector: 13,
    error: 0x1000,
  },
  { name: 'a selector beyond the LDT', mode: 'prot32', code: 'mov eax, 0x107\nmov ds, eax', vector: 13, error: 0x104 },
  { name: 'a null stack selector', mode: 'prot32', code: 'xor eax, eax\nmov ss, eax', vector: 13, error: 0 },
  { name: 'a null stack selector in 64-bit mode', mode: 'long', code: 'xor eax, eax\nmov ss, eax\nud2', vector: 6 },
  { name: 'a null stack selector at level 3', mode: 'user64', code: 'mov eax, 3\nmov ss, eax', vector: 13, error: 0 },
  {
    name: 'a stack with another DPL',
    mode: 'prot32',
    code: `mov eax, ${SEL.userData & ~3}\nmov ss, eax`,
    vector: 13,
    error: SEL.userData & ~3,
  },
  {
    name: 'a stack with another RPL',
    mode: 'prot32',
    code: `mov eax, ${SEL.data32 | 1}\nmov ss, eax`,
    vector: 13,
    error: SEL.data32,
  },
  {
    name: 'a read-only stack',
    mode: 'prot32',
    code: `mov eax, ${SEL.readOnly}\nmov ss, eax`,
    vector: 13,
    error: SEL.readOnly,
  },
  {
    name: 'a code segment as stack',
    mode: 'prot32',
    code: `mov eax, ${SEL.code32}\nmov ss, eax`,
    vector: 13,
    error: SEL.code32,
  },
  {
    name: 'a stack that is not present',
    mode: 'prot32',
    code: `mov eax, ${SEL.notPresent}\nmov ss, eax`,
    vector: 12,
    error: SEL.notPresent,
  },
  {
    name: 'data that is not present',
    mode: 'prot32',
    code: `mov eax, ${SEL.notPresent}\nmov es, eax`,
    vector: 11,
    error: SEL.notPresent,
  },
  {
    name: 'execute-only code as data',
    mode: 'prot32',
    code: `mov eax, ${SEL.execOnly}\nmov fs, eax`,
    vector: 13,
    error: SEL.execOnly,
  },
  {
    name: 'a system segment as data',
    mode: 'prot32',
    code: `mov eax, ${SEL.ldt}\nmov gs, eax`,
    vector: 13,
    error: SEL.ldt,
  },
  {
    name: 'privileged data from level 3',
    mode: 'user32',
    code: `mov eax, ${SEL.data32 | 3}\nmov ds, eax`,
    vector: 13,
    error: SEL.data32,
  },
  {
    name: 'conforming code is readable from level 3',
    mode: 'user32',
    code: `mov eax, ${SEL.conforming | 3}\nmov ds, eax\nud2`,
    vector: 6,
  },
  {
    name: 'the accessed bit is set',
    mode: 'prot32',
    code: `mov eax, ${SEL.free}\nmov ds, eax\nud2`,
    setup: (b) => b.gdt(SEL.free, descriptor(0, 0xfffff, 0xc09200)),
    vector: 6,
    check: (b) => expect(b.view.getUint8(AT.gdt + SEL.free + 5)).toBe(0x93),
  },
  {
    name: 'a load through a null segment',
    mode: 'prot32',
    code: 'xor eax, eax\nmov ds, eax\nmov eax, [0]',
    vector: 13,
    error: 0,
  },
  {
    name: 'beyond a limit',
    mode: 'prot32',
    code: `mov eax, ${SEL.data16}\nmov ds, eax\nmov eax, [0xfffd]`,
    vector: 13,
    error: 0,
  },
  {
    name: 'below an expand-down limit',
    mode: 'prot32',
    code: `mov eax, ${SEL.expandDown}\nmov ds, eax\nmov eax, [0xffd]`,
    vector: 13,
    error: 0,
  },
  {
    name: 'above an expand-down limit',
    mode: 'prot32',
    code: `mov eax, ${SEL.expandDown}\nmov ds, eax\nmov eax, [0x1000]\nud2`,
    vector: 6,
  },
  {
    name: 'a write to a read-only segment',
    mode: 'prot32',
    code: `mov eax, ${SEL.readOnly}\nmov ds, eax\nmov [0x10000], eax`,
    vector: 13,
    error: 0,
  },
  {
    name: 'a push below the stack segment',
    mode: 'prot32',
    code: `mov eax, ${SEL.expandDown}\nmov ss, eax\nmov esp, 0x1002\npush eax`,
    setup: (b) => b.gate32(12, SEL.code32, HANDLER(12), 0x8e00),
    vector: 'shutdown',
  },
  { name: 'LTR of a busy TSS', mode: 'prot32', code: `mov eax, ${SEL.tss}\nltr ax`, vector: 13, error: SEL.tss },
  { name: 'LTR of a null selector', mode: 'prot32', code: 'xor eax, eax\nltr ax', vector: 13, error: 0 },
  {
    name: 'LTR marks the TSS busy',
    mode: 'long',
    code: `mov eax, ${SEL.free}\nltr ax\nud2`,
    setup: (b) => b.gdt(SEL.free, descriptor(AT.tss, 0x67, 0x8900)),
    vector: 6,
    check: (b) => expect(b.view.getUint8(AT.gdt + SEL.free + 5)).toBe(0x8b),
  },
  {
    name: 'LLDT of something else',
    mode: 'prot32',
    code: `mov eax, ${SEL.data32}\nlldt ax`,
    vector: 13,
    error: SEL.data32,
  },
  // far transfers
  { name: 'JMP to a null selector', mode: 'prot32', code: 'jmp 0:0', vector: 13, error: 0 },
  { name: 'JMP to data', mode: 'prot32', code: `jmp ${SEL.data32}:0`, vector: 13, error: SEL.data32 },
  {
    name: 'JMP to less privileged code',
    mode: 'prot32',
    code: `jmp ${SEL.user32}:0`,
    vector: 13,
    error: SEL.user32 & ~3,
  },
  { name: 'JMP beyond the limit', mode: 'prot32', code: `jmp ${SEL.code16}:0x10000`, vector: 13, error: 0 },
  {
    name: 'JMP to conforming code keeps the level',
    mode: 'user32',
    code: `jmp ${SEL.conforming}:${AT.code + 0x100}`,
    setup: (b) => void b.code('prot32', 'ud2', AT.code + 0x100),
    vector: 6,
    at: 0x100,
    check: (b) => expect(b.read32(Number(b.reg(4)) + 4)).toBe(SEL.conforming | 3),
  },
  {
    name: 'RETF to a more privileged level',
    mode: 'user32',
    code: `push dword ${SEL.code32}\npush dword 0\nretf`,
    vector: 13,
    error: SEL.code32,
  },
  {
    name: 'IRET with a null CS',
    mode: 'long',
    code: 'push 0\npush 0\npush 2\npush 0\npush 0\niretq',
    vector: 13,
    error: 0,
  },
  {
    name: 'IRETQ to an address that is not canonical',
    mode: 'long',
    code: `mov rax, 0x800000000000\npush ${SEL.data32}\npush rsp\npushfq\npush ${SEL.code64}\npush rax\niretq`,
    vector: 13,
    error: 0,
  },
  {
    name: 'IRET with NT in long mode',
    mode: 'long',
    code: 'pushfq\nor dword [rsp], 0x4000\npopfq\niretq',
    vector: 13,
    error: 0,
  },
  // control registers
  { name: 'PG without PE', mode: 'real', code: 'mov eax, 0x80000010\nmov cr0, eax', vector: 13 },
  { name: 'NW without CD', mode: 'long', code: 'mov rax, cr0\nor eax, 0x20000000\nmov cr0, rax', vector: 13, error: 0 },
  {
    name: 'clearing PG in 64-bit mode',
    mode: 'long',
    code: 'mov rax, cr0\nbtr rax, 31\nmov cr0, rax',
    vector: 13,
    error: 0,
  },
  {
    name: 'clearing PAE in long mode',
    mode: 'long',
    code: 'mov rax, cr4\nand eax, ~0x20\nmov cr4, rax',
    vector: 13,
    error: 0,
  },
  { name: 'reserved bits of CR4', mode: 'long', code: 'mov eax, 0x100020\nmov cr4, rax', vector: 13, error: 0 },
  { name: 'reserved bits of CR3', mode: 'long', code: 'mov rax, 0x10000000000\nmov cr3, rax', vector: 13, error: 0 },
  { name: 'CR8 beyond 15', mode: 'long', code: 'mov eax, 16\nmov cr8, rax', vector: 13, error: 0 },
  {
    name: 'LME cannot change while paging',
    mode: 'long',
    code: 'mov ecx, 0xc0000080\nrdmsr\nand eax, ~0x100\nwrmsr',
    vector: 13,
    error: 0,
  },
  {
    name: 'LSTAR must be canonical',
    mode: 'long',
    code: 'mov ecx, 0xc0000082\nxor eax, eax\nmov edx, 0x8000\nwrmsr',
    vector: 13,
    error: 0,
  },
  {
    name: 'an unknown MSR reads as 0',
    mode: 'long',
    code: 'mov ecx, 0xc0011029\nmov eax, 7\nwrmsr\nrdmsr\nud2',
    vector: 6,
    check: (b) => expect(b.reg(0)).toBe(0n),
  },
  {
    name: 'RDTSC with CR4.TSD at level 3',
    mode: 'user64',
    code: 'rdtsc',
    setup: (b) => b.state.setBig('cr4', 0x624n),
    vector: 13,
    error: 0,
  },
  { name: 'upper half of DR7', mode: 'long', code: 'mov rax, 0x100000000\nmov dr7, rax', vector: 13, error: 0 },
  { name: 'DR4 with CR4.DE', mode: 'long', code: 'mov rax, cr4\nor eax, 8\nmov cr4, rax\nmov rax, dr4', vector: 6 },
  {
    name: 'DR7.GD traps',
    mode: 'long',
    code: 'mov eax, 0x2400\nmov dr7, rax\nmov rax, dr0',
    vector: 1,
    check: (b) => {
      expect(b.state.getBig('dr', 6) & 0x2000n).toBe(0x2000n);
      expect(b.state.getBig('dr', 7) & 0x2000n).toBe(0n);
    },
  },
  // I/O permission
  {
    name: 'a port that the bitmap denies',
    mode: 'user32',
    code: 'mov dx, 0x80\nout dx, al',
    setup: (b) => void b.view.setUint8(AT.tss + 0x68 + 16, 1),
    vector: 13,
    error: 0,
  },
  {
    name: 'a port that the bitmap allows',
    mode: 'user32',
    code: 'mov dx, 0x80\nout dx, al\nud2',
    setup: (b) => void b.view.setUint8(AT.tss + 0x68 + 16, 2),
    vector: 6,
    check: (b) => expect(b.ports).toEqual([[0x80, 1, 0]]),
  },
  {
    name: 'all bits of a wide access count',
    mode: 'user64',
    code: 'mov dx, 0x87\nout dx, ax',
    setup: (b) => void b.view.setUint8(AT.tss + 0x68 + 17, 1),
    vector: 13,
    error: 0,
  },
  {
    name: 'a bitmap beyond the TSS',
    mode: 'user32',
    code: 'mov dx, 0x80\nout dx, al',
    setup: (b) => void b.view.setUint16(AT.tss + 0x66, 0xffff, true),
    vector: 13,
    error: 0,
  },
  {
    name: 'IOPL 3 needs no bitmap',
    mode: 'user32',
    code: 'mov dx, 0x80\nout dx, al\nud2',
    setup: (b) => {
      b.view.setUint8(AT.tss + 0x68 + 16, 1);
      b.flags(0x3002);
    },
    vector: 6,
  },
  // flags
  {
    name: 'POPF at level 3 leaves IF and IOPL',
    mode: 'user64',
    code: 'push 0x3202\npopfq\nud2',
    vector: 6,
    check: (b) => expect(b.read64(Number(b.reg(4)) + 16) & 0x3200n).toBe(0n),
  },
  {
    name: 'single step',
    mode: 'long',
    code: 'pushfq\nor dword [rsp], 0x100\npopfq\nnop\nnop',
    vector: 1,
    at: 10,
    check: (b) => expect(b.state.getBig('dr', 6) & 0x4000n).toBe(0x4000n),
  },
  {
    name: 'alignment checks begin with POPF',
    mode: 'user64',
    code: `mov eax, [${AT.data + 1}]\npush 0x40002\npopfq\nmov eax, [${AT.data + 1}]`,
    setup: (b) => b.state.setBig('cr0', 0x8005_0031n),
    vector: 17,
    error: 0,
    at: 13,
  },
  {
    // for the comparison with QEMU: four subleaves of each to memory
    name: 'all leaves of CPUID',
    mode: 'long',
    code: `mov edi, 0x12000
mov esi, leaves
next: mov eax, [esi]
cmp eax, -1
je done
xor r8d, r8d
again: mov eax, [esi]
mov ecx, r8d
cpuid
mov [edi], eax
mov [edi+4], ebx
mov [edi+8], ecx
mov [edi+12], edx
add edi, 16
inc r8d
cmp r8d, 4
jb again
add esi, 4
jmp next
done: ud2
leaves: dd ${CPUID_LEAVES.join(', ')}, -1`,
    vector: 6,
  },
  // the end of a code segment
  ...([['an instruction ends at the limit', 'real', 0xffff, '90']] as const).map(
    ([name, mode, at, bytes]): Row => ({
      name,
      mode,
      code: `jmp ${at}`,
      setup: (b) =>
        b.bytes(
          at,
          Uint8Array.from(bytes.split(' '), (x) => Number.parseInt(x, 16)),
        ),
      vector: 13,
    }),
  ),
  ...([0x5005, 0x5006, 0x5007, 0x5008] as const).map(
    (limit): Row => ({
      name: `a limit of ${limit.toString(16)} inside a page`,
      mode: 'prot32',
      code: 'jmp dword next\nnext: mov eax, 1\nint3',
      setup: (b) => {
        b.gdt(SEL.code32, descriptor(0, 0xfffff, 0xc09b00));
        b.state.set('segLimit', limit, 1);
      },
      vector: 13,
      error: 0,
      at: 5,
    }),
  ),
];

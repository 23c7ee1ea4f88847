import type { RegisterView } from '@sterna/core';
import type { X86Cpu } from './cpu.ts';
import type { CellName } from './state/layout.ts';

const GENERAL = [
  'rax',
  'rcx',
  'rdx',
  'rbx',
  'rsp',
  'rbp',
  'rsi',
  'rdi',
  'r8',
  'r9',
  'r10',
  'r11',
  'r12',
  'r13',
  'r14',
  'r15',
];
const SEGMENTS = ['es', 'cs', 'ss', 'ds', 'fs', 'gs'];
/** Cells that a debugger sees under its own name; a change of the first group changes the mode. */
const MODE_CELLS: Readonly<Record<string, CellName>> = { cr0: 'cr0', cr3: 'cr3', cr4: 'cr4', efer: 'efer' };
const PLAIN_CELLS: Readonly<Record<string, CellName>> = {
  rip: 'rip',
  cr2: 'cr2',
  'gdt.base': 'gdtBase',
  'gdt.limit': 'gdtLimit',
  'idt.base': 'idtBase',
  'idt.limit': 'idtLimit',
  'tr.selector': 'trSel',
  'tr.base': 'trBase',
  'tr.limit': 'trLimit',
  'tr.flags': 'trFlags',
  'ldt.selector': 'ldtSel',
  'ldt.base': 'ldtBase',
  'ldt.limit': 'ldtLimit',
  'ldt.flags': 'ldtFlags',
  mxcsr: 'mxcsr',
  fctrl: 'fpuCw',
  fstat: 'fpuSw',
  'kernel-gs-base': 'kernelGsBase',
  star: 'star',
  lstar: 'lstar',
  cstar: 'cstar',
  fmask: 'fmask',
};

/** All registers of a CPU by the names debuggers use; parts of segment and table registers as `cs.base`. */
export function registerViews(cpu: X86Cpu): readonly RegisterView[] {
  const { state } = cpu;
  const cell = (name: string, of: CellName, bits: number, index = 0, after?: () => void): RegisterView => ({
    name,
    bits,
    read: () => state.getBig(of, index),
    write: (value) => {
      state.setBig(of, value, index);
      after?.();
    },
  });
  const changed = (): void => cpu.stateChanged();
  return [
    ...GENERAL.map((name, index) => cell(name, 'regs', 64, index)),
    { name: 'rflags', bits: 32, read: () => BigInt(cpu.rflags), write: (value) => setFlags(cpu, value) },
    ...SEGMENTS.flatMap((name, index) => [
      cell(`${name}.selector`, 'segSel', 16, index, changed),
      cell(`${name}.base`, 'segBase', 64, index, changed),
      cell(`${name}.limit`, 'segLimit', 32, index, changed),
      cell(`${name}.flags`, 'segFlags', 32, index, changed),
    ]),
    ...Object.entries(MODE_CELLS).map(([name, of]) => cell(name, of, 64, 0, changed)),
    ...Object.entries(PLAIN_CELLS).map(([name, of]) => cell(name, of, 64)),
    ...Array.from({ length: 8 }, (_, index) => cell(`dr${index}`, 'dr', 64, index)),
  ];
}

function setFlags(cpu: X86Cpu, value: bigint): void {
  cpu.rflags = Number(BigInt.asUintN(32, value));
  cpu.stateChanged();
}

const hex = (value: bigint, digits: number): string => value.toString(16).padStart(digits, '0');

/** Text of `info registers`, in QEMU's form. */
export function describeRegisters(cpu: X86Cpu): string {
  const value = new Map(registerViews(cpu).map((register) => [register.name, register.read()]));
  const get = (name: string): bigint => value.get(name) ?? 0n;
  const general = ['rax', 'rbx', 'rcx', 'rdx', 'rsi', 'rdi', 'rbp', 'rsp', ...GENERAL.slice(8)];
  const lines: string[] = [];
  for (let i = 0; i < general.length; i += 4) {
    lines.push(
      general
        .slice(i, i + 4)
        .map((name) => `${name.toUpperCase().padEnd(3)}=${hex(get(name), 16)}`)
        .join(' '),
    );
  }
  const { state } = cpu;
  lines.push(
    `RIP=${hex(get('rip'), 16)} RFL=${hex(get('rflags'), 8)} CPL=${state.get('cpl')} HLT=${state.get('halted')}`,
  );
  for (const name of [...SEGMENTS, 'ldt', 'tr']) {
    lines.push(
      `${name.toUpperCase().padEnd(3)}=${hex(get(`${name}.selector`), 4)} ${hex(get(`${name}.base`), 16)} ${hex(get(`${name}.limit`), 8)} ${hex(get(`${name}.flags`), 8)}`,
    );
  }
  for (const name of ['gdt', 'idt'])
    lines.push(`${name.toUpperCase()}=     ${hex(get(`${name}.base`), 16)} ${hex(get(`${name}.limit`), 8)}`);
  lines.push(
    `CR0=${hex(get('cr0'), 8)} CR2=${hex(get('cr2'), 16)} CR3=${hex(get('cr3'), 16)} CR4=${hex(get('cr4'), 8)}`,
  );
  lines.push(Array.from({ length: 4 }, (_, i) => `DR${i}=${hex(get(`dr${i}`), 16)}`).join(' '));
  lines.push(`DR6=${hex(get('dr6'), 16)} DR7=${hex(get('dr7'), 16)}`, `EFER=${hex(get('efer'), 16)}`);
  lines.push(`FCW=${hex(get('fctrl'), 4)} FSW=${hex(get('fstat'), 4)} MXCSR=${hex(get('mxcsr'), 8)}`);
  for (let i = 0; i < 16; i += 2) {
    lines.push(
      [i, i + 1]
        .map(
          (n) =>
            `XMM${String(n).padStart(2, '0')}=${hex(state.getHigh('xmm', n), 16)}${hex(state.getBig('xmm', n), 16)}`,
        )
        .join(' '),
    );
  }
  return lines.join('\n');
}

import { Rig } from './rig.ts';

/** Names of the general registers in encoding order. */
export const REGISTERS = [
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
] as const;

/** A piece of machine code with its start state. */
export interface Snippet {
  readonly mode?: 16 | 32 | 64;
  /** Machine code in hexadecimal; a HLT is added after it. */
  readonly code: string;
  readonly regs?: Partial<Record<(typeof REGISTERS)[number], bigint | number>>;
  readonly flags?: number;
  /** Bytes placed in memory before the run, by address. */
  readonly memory?: Readonly<Record<number, string>>;
  readonly budget?: number;
}

/** State after a snippet ran. */
export interface Outcome {
  readonly exit: number;
  readonly rip: number;
  readonly flags: number;
  readonly executed: number;
  reg(name: (typeof REGISTERS)[number]): bigint;
  bytes(address: number, length: number): string;
  readonly rig: Rig;
}

/** Address at which snippets are placed. */
export const CODE = 0x1000;

/** Runs a snippet on a bare CPU in a flat segment model without paging (CPL 0) until its HLT. */
export function runSnippet(s: Snippet): Outcome {
  const rig = new Rig();
  const { cpu } = rig;
  rig.mode(s.mode ?? 64);
  const hex = (text: string): Uint8Array =>
    Uint8Array.from(text.replace(/\s/g, '').match(/../g) ?? [], (b) => Number.parseInt(b, 16));
  rig.bytes.set(hex(`${s.code} f4`), rig.at(CODE));
  for (const [at, data] of Object.entries(s.memory ?? {})) rig.bytes.set(hex(data), rig.at(Number(at)));
  REGISTERS.forEach((name, i) => {
    cpu.state.setBig('regs', BigInt(s.regs?.[name] ?? (name === 'rsp' ? 0x8000 : 0)), i);
  });
  cpu.state.setBig('rip', BigInt(CODE));
  cpu.rflags = s.flags ?? 2;
  const exit = cpu.run(s.budget ?? 100_000);
  return {
    exit,
    rip: Number(cpu.state.getBig('rip')),
    flags: cpu.rflags,
    executed: cpu.executed,
    reg: (name) => cpu.state.getBig('regs', REGISTERS.indexOf(name)),
    bytes: (address, length) => Buffer.from(rig.bytes.slice(rig.at(address), rig.at(address) + length)).toString('hex'),
    rig,
  };
}

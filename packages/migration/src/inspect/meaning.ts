/** What well-known fields mean, for people. Paths are those of `fields.ts`. */
import type { Leaf } from './fields.ts';

type Meaning = (value: bigint, match: RegExpMatchArray) => string;

const REGISTERS = ['RAX', 'RCX', 'RDX', 'RBX', 'RSP', 'RBP', 'RSI', 'RDI'];
const SEGMENTS = ['ES', 'CS', 'SS', 'DS', 'FS', 'GS'];
const LVT = ['timer', 'thermal', 'performance', 'LINT0', 'LINT1', 'error'];
const DELIVERY = ['fixed', 'lowest priority', 'SMI', '3', 'NMI', 'INIT', 'startup', 'ExtINT'];

/** Names of bits, lowest first; those without a name are left out. */
const bits =
  (names: Readonly<Record<number, string>>): Meaning =>
  (value) =>
    Object.entries(names)
      .filter(([bit]) => ((value >> BigInt(bit)) & 1n) !== 0n)
      .map(([, name]) => name)
      .join(' ') || 'none set';

const EFLAGS = {
  0: 'CF',
  2: 'PF',
  4: 'AF',
  6: 'ZF',
  7: 'SF',
  8: 'TF',
  9: 'IF',
  10: 'DF',
  11: 'OF',
  14: 'NT',
  16: 'RF',
  17: 'VM',
  18: 'AC',
  19: 'VIF',
  20: 'VIP',
  21: 'ID',
};
const CR0 = {
  0: 'PE',
  1: 'MP',
  2: 'EM',
  3: 'TS',
  4: 'ET',
  5: 'NE',
  16: 'WP',
  18: 'AM',
  29: 'NW',
  30: 'CD',
  31: 'PG',
};
const CR4 = {
  0: 'VME',
  1: 'PVI',
  2: 'TSD',
  3: 'DE',
  4: 'PSE',
  5: 'PAE',
  6: 'MCE',
  7: 'PGE',
  8: 'PCE',
  9: 'OSFXSR',
  10: 'OSXMMEXCPT',
  11: 'UMIP',
  12: 'LA57',
  16: 'FSGSBASE',
  17: 'PCIDE',
  18: 'OSXSAVE',
  20: 'SMEP',
  21: 'SMAP',
  22: 'PKE',
};
const EFER = { 0: 'SCE', 8: 'LME', 10: 'LMA', 11: 'NXE', 12: 'SVME', 14: 'FFXSR' };
const HFLAGS = {
  3: 'INHIBIT_IRQ',
  4: 'CS32',
  5: 'SS32',
  6: 'ADDSEG',
  7: 'PE',
  9: 'MP',
  10: 'EM',
  11: 'TS',
  14: 'LMA',
  15: 'CS64',
  19: 'SMM',
  20: 'SVME',
  21: 'GUEST',
  22: 'OSFXSR',
  23: 'SMAP',
  27: 'UMIP',
  28: 'AVX',
};
const SPURIOUS = { 8: 'enabled', 9: 'focus check off' };
const XCR0 = { 0: 'x87', 1: 'SSE', 2: 'AVX', 5: 'opmask', 6: 'ZMM_Hi256', 7: 'Hi16_ZMM', 9: 'PKRU' };
const INTERRUPTS = {
  1: 'HARD',
  2: 'EXITTB',
  4: 'POLL',
  5: 'HALT',
  6: 'SMI',
  7: 'DEBUG',
  8: 'VIRQ',
  9: 'NMI',
  11: 'SIPI',
  12: 'MCE',
  13: 'TPR',
};

const RULES: readonly (readonly [RegExp, Meaning])[] = [
  [/^cpu\/\d+\/env\.regs\[(\d+)\]$/, (_, [, index]) => REGISTERS[Number(index)] ?? `R${index}`],
  [/^cpu\/\d+\/env\.eip$/, () => 'RIP'],
  [/^cpu\/\d+\/env\.eflags$/, bits(EFLAGS)],
  [/^cpu\/\d+\/env\.hflags$/, (value, match) => `CPL ${value & 3n}, ${bits(HFLAGS)(value, match)}`],
  [
    /^cpu\/\d+\/env\.segs\[(\d)\]\/(\w+)$/,
    (value, [, index, part]) => `${SEGMENTS[Number(index)]}${segment(part!, value)}`,
  ],
  [
    /^cpu\/\d+\/env\.(ldt|tr|gdt|idt)\/(\w+)$/,
    (value, [, name, part]) => `${name!.toUpperCase()}R${segment(part!, value)}`,
  ],
  [/^cpu\/\d+\/env\.cr\[0\]$/, bits(CR0)],
  [/^cpu\/\d+\/env\.cr\[2\]$/, () => 'CR2: address of the last page fault'],
  [/^cpu\/\d+\/env\.cr\[3\]$/, (value) => `page table at 0x${((value >> 12n) << 12n).toString(16)}`],
  [/^cpu\/\d+\/env\.cr\[4\]$/, bits(CR4)],
  [/^cpu\/\d+\/env\.efer$/, bits(EFER)],
  [/^cpu\/\d+\/env\.xcr0$/, bits(XCR0)],
  [/^cpu\/\d+\/env\.a20_mask$/, (value) => (value === -1n ? 'A20 on' : 'A20 off')],
  [/^cpu\/\d+\/env\.fpus_vmstate$/, (value) => `TOP ${(value >> 11n) & 7n}`],
  [/^cpu_common\/\d+\/halted$/, (value) => (value === 0n ? 'not halted' : 'in HLT')],
  [/^cpu_common\/\d+\/interrupt_request$/, bits(INTERRUPTS)],
  [
    /^apic\/\d+\/apicbase$/,
    (value) => `${(value & 0x800n) === 0n ? 'off' : 'on'}${(value & 0x100n) === 0n ? '' : ', bootstrap processor'}`,
  ],
  [/^apic\/\d+\/spurious_vec$/, (value, match) => `vector ${value & 0xffn}, ${bits(SPURIOUS)(value, match)}`],
  [/^apic\/\d+\/lvt\[(\d)\]$/, (value, [, index]) => `${LVT[Number(index)]}: ${localVector(value, index === '0')}`],
  [/^apic\/\d+\/(isr|irr|tmr)\[(\d)\]$/, (value, [, , word]) => vectors(value, Number(word))],
  [/^ioapic\/\d+\/ioredtbl\[(\d+)\]$/, (value) => redirection(value)],
  [/^i8259\/(\d+)\/(imr|irr|isr)$/, (value, [, unit]) => lines(value, Number(unit) * 8)],
  [/^i8259\/\d+\/irq_base$/, (value) => `vectors ${value} to ${value + 7n}`],
];

/** What a field's value says; undefined where nothing is known of it. */
export function meaningOf({ path, type, value }: Leaf): string | undefined {
  if (value instanceof Uint8Array) return printable(value);
  if (typeof value === 'boolean') return undefined;
  for (const [pattern, meaning] of RULES) {
    const match = path.match(pattern);
    if (match !== null) return meaning(value, match);
  }
  if (type === 'timer') return value === -1n ? 'not armed' : `at ${seconds(value)}`;
  if (/(_time|_expiry|clock_offset)$/.test(path)) return value === -1n ? 'not armed' : seconds(value);
  return undefined;
}

function seconds(ns: bigint): string {
  return `${(Number(ns) / 1e9).toFixed(6)} s`;
}

function segment(part: string, flags: bigint): string {
  if (part !== 'flags') return ` ${part}`;
  const level = `DPL ${(flags >> 13n) & 3n}`;
  const kind = (flags & 0x1000n) === 0n ? 'system' : (flags & 0x800n) === 0n ? 'data' : 'code';
  const size = (flags & 0x20_0000n) !== 0n ? '64' : (flags & 0x40_0000n) !== 0n ? '32' : '16';
  return (flags & 0x8000n) === 0n ? ' not present' : ` ${kind}, ${level}, ${size} bits`;
}

function localVector(value: bigint, timer: boolean): string {
  const mode = timer
    ? ['one-shot', 'periodic', 'TSC deadline', '3'][Number((value >> 17n) & 3n)]
    : DELIVERY[Number((value >> 8n) & 7n)];
  return `vector ${value & 0xffn}, ${mode}${(value & 0x1_0000n) === 0n ? '' : ', masked'}`;
}

function redirection(value: bigint): string {
  if ((value & 0x1_0000n) !== 0n) return 'masked';
  const mode = DELIVERY[Number((value >> 8n) & 7n)];
  return `vector ${value & 0xffn}, ${mode}, ${(value & 0x8000n) === 0n ? 'edge' : 'level'}, to ${value >> 56n}`;
}

/** Vectors of one word of the local APIC's 256-bit registers. */
function vectors(value: bigint, word: number): string {
  return list(value, word * 32, 'vector') ?? 'none';
}

function lines(value: bigint, first: number): string {
  return list(value, first, 'line') ?? 'none';
}

function list(value: bigint, first: number, what: string): string | undefined {
  const set: number[] = [];
  for (let bit = 0; value >> BigInt(bit) > 0n; bit++) if (((value >> BigInt(bit)) & 1n) !== 0n) set.push(first + bit);
  return set.length === 0 ? undefined : `${what}${set.length === 1 ? '' : 's'} ${set.join(', ')}`;
}

/** Text in bytes, when it is text and fills with zeros only. */
function printable(bytes: Uint8Array): string | undefined {
  const end = bytes.indexOf(0);
  const text = bytes.subarray(0, end < 0 ? bytes.length : end);
  const rest = bytes.subarray(text.length);
  if (text.length < 2 || text.some((byte) => byte < 0x20 || byte > 0x7e)) return undefined;
  // Two flags of `globalstate` follow its text.
  if (rest.some((byte) => byte > 1)) return undefined;
  return `'${String.fromCharCode(...text)}'`;
}

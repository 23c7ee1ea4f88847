import { BASE, type Instruction, type MemoryOperand } from './decode/instruction.ts';
import { FIRST_WIDE } from './registers.ts';

const WIDE = ['r12', 'r13', 'ra', 'sp'];
/** Processor registers by number; a 32-bit one has a name for each half. */
const HALVES = 'dbs dsr dcrl dcrh car0l car0h car1l car1h cfg psr intbasel intbaseh ispl isph uspl usph'.split(' ');
const WHOLES = 'dbs dsr dcr - car0 - car1 - cfg psr intbase - isp - usp -'.split(' ');
const VECTORS: Readonly<Record<number, string>> = {
  5: 'svc',
  6: 'dvz',
  7: 'flg',
  8: 'bpt',
  9: 'trc',
  10: 'und',
  12: 'iad',
  14: 'dbg',
  15: 'ise',
};

function register(n: number): string {
  return n < FIRST_WIDE ? `r${n}` : WIDE[n - FIRST_WIDE]!;
}

function pair(n: number): string {
  return n < FIRST_WIDE ? `(r${n + 1},r${n})` : `(${WIDE[n - FIRST_WIDE]})`;
}

function operand(n: number, size: number): string {
  return size === 4 ? pair(n) : register(n);
}

function hex(value: number): string {
  return value < 0 ? `-0x${(-value).toString(16)}` : `0x${value.toString(16)}`;
}

function memory({ base, register: n, index, displacement }: MemoryOperand): string {
  const prefix = index < 0 ? '' : `[r${index}]`;
  if (base === BASE.NONE) return `${prefix}${hex(displacement)}`;
  return `${prefix}${hex(displacement)}${base === BASE.PAIR ? pair(n) : `(${register(n)})`}`;
}

/** The operands as GNU as writes them. */
function operands(i: Instruction): string {
  const source = i.immediate ? `$${i.source}` : operand(i.source, i.sourceSize);
  const distance = (): string =>
    i.memory.displacement < 0 ? `*${hex(i.memory.displacement)}` : `*+${hex(i.memory.displacement)}`;
  switch (i.shape) {
    case 'none':
      return '';
    case 'source-destination':
      return `${source},${operand(i.destination, i.size)}`;
    case 'register':
      return register(i.destination);
    case 'pair':
      return pair(i.mnemonic === 'jal' ? i.source : i.destination);
    case 'branch':
      return distance();
    case 'branch-register':
      return `${register(i.destination)},${distance()}`;
    case 'link':
    case 'link-pair':
      return `${pair(i.destination)},${distance()}`;
    case 'jump-link':
      return `${pair(i.destination)},${pair(i.source)}`;
    case 'load':
      return `${memory(i.memory)},${operand(i.destination, i.size)}`;
    case 'store':
      return `${operand(i.source, i.size)},${memory(i.memory)}`;
    case 'store-immediate':
    case 'bit-memory':
      return `$${i.source},${memory(i.memory)}`;
    case 'list':
    case 'list-ra':
      return `$${i.destination},${register(i.source)}${i.immediate ? ',ra' : ''}`;
    case 'ra':
      return 'ra';
    case 'count':
      return `$${i.destination}`;
    case 'vector':
      return VECTORS[i.source] ?? `$${i.source}`;
    case 'to-processor':
      return `${operand(i.source, i.size)},${(i.size === 4 ? WHOLES : HALVES)[i.destination]}`;
    case 'from-processor':
      return `${(i.size === 4 ? WHOLES : HALVES)[i.source]},${operand(i.destination, i.size)}`;
    case 'multiply-accumulate':
      return `${register(i.source)},${register(i.memory.register)},${pair(i.destination)}`;
  }
}

/** An instruction in the syntax of GNU as; distances of branches are relative to the instruction (`*+0x10`). */
export function disassemble(instruction: Instruction): string {
  const text = operands(instruction);
  return text === '' ? instruction.mnemonic : `${instruction.mnemonic} ${text}`;
}

import type { Encoding } from './enc.ts';

/** Opcodes of map 0F with XMM operands and prefix F3 or none that came with SSE2. */
const LATER_SSE2: ReadonlySet<number> = new Set([0x5a, 0x5b, 0x6f, 0x70, 0x7e, 0x7f, 0xd6, 0xe6]);
/** SSE3: opcodes of map 0F by prefix. */
const SSE3: Readonly<Record<string, readonly number[]>> = {
  '66': [0x7c, 0x7d, 0xd0],
  f2: [0x12, 0x7c, 0x7d, 0xd0, 0xf0],
  f3: [0x12, 0x16],
};

/**
 * CPUID feature of an encoding that names none: those that a processor of this architecture had from the start are told by
 * their operands and opcodes. Undefined: every model has it.
 */
export function baseFeature({ map, opcode, prefix, operands, options }: Encoding): string | undefined {
  if (options.feature !== undefined) return options.feature;
  const uses = (letters: string): boolean =>
    operands.some((o) => letters.includes(o[0]!) && o.length > 1 && o !== 'XMM0');
  if (map === 1 && SSE3[prefix]?.includes(opcode)) return 'pni';
  if (map === 1 && uses('VWU')) return prefix === 'np' || prefix === 'f3' ? sse(opcode) : 'sse2';
  if (map === 1 && uses('PQN')) return 'mmx';
  if (map === 1 && opcode >= 0x40 && opcode < 0x50) return 'cmov';
  return undefined;
}

function sse(opcode: number): string {
  return LATER_SSE2.has(opcode) ? 'sse2' : 'sse';
}

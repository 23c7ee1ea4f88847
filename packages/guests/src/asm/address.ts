import { AssemblerError, type SourcePosition } from './errors.ts';
import type { Expression, Value } from './expression.ts';
import type { MemoryReference } from './operand.ts';
import type { Register } from './registers.ts';

/** A memory operand, encoded but for what depends on the instruction's length. */
export interface EncodedAddress {
  /** ModRM.mod and ModRM.rm. */
  readonly mod: number;
  readonly rm: number;
  /** The SIB byte, or -1. */
  readonly sib: number;
  readonly displacement: bigint;
  /** Bytes of displacement: 0, 1, 2 or 4. */
  readonly displacementSize: number;
  /** RIP-relative: the displacement is still the target. */
  readonly relative: boolean;
  readonly addressSize: number;
  /** REX.X and REX.B. */
  readonly rexX: boolean;
  readonly rexB: boolean;
}

/** What an address is encoded in. */
export interface AddressContext {
  readonly bits: 16 | 32 | 64;
  readonly defaultRelative: boolean;
  readonly evaluate: (expression: Expression) => Value;
  readonly position: SourcePosition;
}

/** The address size a memory operand asks for. */
export function addressSizeOf(memory: MemoryReference, bits: number): number {
  const register = memory.registers[0]?.register;
  if (register !== undefined) return register.size;
  if (bits !== 64 && (memory.addressSize === 16 || memory.addressSize === 32)) return memory.addressSize;
  return bits;
}

/**
 * Encodes a memory operand as NASM does: the shortest displacement for plain numbers, the full one for labels.
 *
 * @throws AssemblerError for registers that cannot be combined or a displacement out of range
 */
export function encodeAddress(memory: MemoryReference, context: AddressContext): EncodedAddress {
  const { bits, position } = context;
  const size = addressSizeOf(memory, bits);
  for (const { register } of memory.registers)
    if (register.class !== 'gpr' || register.size !== size || size === 8)
      throw new AssemblerError(position, `${register.name} cannot be part of this address`);
  if ((size === 64 && bits !== 64) || (size === 16 && bits === 64))
    throw new AssemblerError(position, `a ${size}-bit address cannot be used in ${bits}-bit code`);
  const value = memory.displacement === undefined ? undefined : context.evaluate(memory.displacement);
  return size === 16 ? encode16(memory, value, context) : encode32(memory, value, size, context);
}

/** ModRM.rm of the 16-bit combinations of base and index. */
const PAIRS_16 = ['bx+si', 'bx+di', 'bp+si', 'bp+di', 'si', 'di', 'bp', 'bx'];

function encode16(memory: MemoryReference, value: Value | undefined, { position }: AddressContext): EncodedAddress {
  const names = memory.registers.map(({ register, factor }) => {
    if (factor !== undefined) throw new AssemblerError(position, 'a 16-bit address has no factors');
    return register.name;
  });
  const common = { sib: -1, relative: false, addressSize: 16, rexX: false, rexB: false };
  const displacement = value?.number ?? 0n;
  checkRange(displacement, -0x8000n, 0xffffn, position);
  if (names.length === 0) return { ...common, mod: 0, rm: 6, displacement, displacementSize: 2 };
  const rm = PAIRS_16.findIndex((pair) => pair === names.join('+') || pair === names.toReversed().join('+'));
  if (rm < 0) throw new AssemblerError(position, `no 16-bit address has the registers ${names.join(' and ')}`);
  const displacementSize = chooseDisplacement(memory, value, rm === 6, 2, BigInt.asIntN(16, displacement));
  return { ...common, mod: displacementSize, rm, displacement, displacementSize };
}

function encode32(
  memory: MemoryReference,
  value: Value | undefined,
  size: number,
  context: AddressContext,
): EncodedAddress {
  const { bits, position } = context;
  const displacement = value?.number ?? 0n;
  const common = { addressSize: size, displacement };
  const { base, index, factor } = chooseRegisters(memory, context);
  if (base === undefined && index === undefined) {
    const fsOrGs = memory.segment?.name === 'fs' || memory.segment?.name === 'gs';
    const relative = bits === 64 && (memory.relative ?? (context.defaultRelative && !fsOrGs));
    if (!relative) checkAddress(displacement, size, position);
    // In 64-bit code ModRM alone would mean RIP-relative.
    const sib = bits === 64 && !relative ? 0x25 : -1;
    const rm = sib < 0 ? 5 : 4;
    return { ...common, mod: 0, rm, sib, displacementSize: 4, relative, rexX: false, rexB: false };
  }
  checkAddress(displacement, size, position);
  const rexX = (index?.number ?? 0) >= 8;
  const rexB = (base?.number ?? 0) >= 8;
  const scale = [1, 2, 4, 8].indexOf(factor);
  if (base === undefined) {
    const sib = (scale << 6) | ((index!.number & 7) << 3) | 5;
    return { ...common, mod: 0, rm: 4, sib, displacementSize: 4, relative: false, rexX, rexB };
  }
  const low = base.number & 7;
  const displacementSize = chooseDisplacement(memory, value, low === 5, 4, BigInt.asIntN(size, displacement));
  const mod = displacementSize === 4 ? 2 : displacementSize;
  const needsSib = index !== undefined || low === 4;
  const sib = needsSib ? (scale << 6) | (index === undefined ? 0x20 : (index.number & 7) << 3) | low : -1;
  return { ...common, mod, rm: needsSib ? 4 : low, sib, displacementSize, relative: false, rexX, rexB };
}

interface BaseIndex {
  base: Register | undefined;
  index: Register | undefined;
  factor: number;
}

/** Which register is base and which is index, with NASM's choices where the source leaves it open. */
function chooseRegisters(memory: MemoryReference, { evaluate, position }: AddressContext): BaseIndex {
  let base: Register | undefined;
  let index: Register | undefined;
  let factor = 1;
  for (const part of memory.registers) {
    const times = part.factor === undefined ? 1 : Number(evaluate(part.factor).number);
    if (part.factor === undefined && base === undefined) base = part.register;
    else if (index === undefined) {
      index = part.register;
      factor = times;
    } else throw new AssemblerError(position, 'an address has at most two registers');
  }
  if (index !== undefined && base === undefined) {
    // A factor alone costs four bytes of displacement: two registers are shorter. A factor of 1 is no factor.
    if (factor === 1) return { base: index, index: undefined, factor: 1 };
    if (factor === 2 || factor === 3 || factor === 5 || factor === 9) {
      base = index;
      factor -= 1;
    }
  }
  const isStack = (register: Register | undefined): boolean => register?.number === 4;
  if (isStack(index) && factor === 1) [base, index] = [index, base];
  if (isStack(index)) throw new AssemblerError(position, `${index!.name} cannot be an index`);
  if (index !== undefined && ![1, 2, 4, 8].includes(factor))
    throw new AssemblerError(position, `an index cannot have the factor ${factor}`);
  return { base, index, factor };
}

/** Bytes of displacement beside a base register. */
function chooseDisplacement(
  memory: MemoryReference,
  value: Value | undefined,
  needsOne: boolean,
  full: number,
  number: bigint,
): number {
  if (memory.addressSize === 8) return 1;
  if (memory.addressSize !== undefined) return full;
  if (value === undefined) return needsOne ? 1 : 0;
  if (!value.known || value.base !== 0) return full;
  if (number === 0n && !needsOne) return 0;
  return number >= -0x80n && number <= 0x7fn ? 1 : full;
}

function checkAddress(displacement: bigint, size: number, position: SourcePosition): void {
  checkRange(displacement, -0x80000000n, size === 64 ? 0x7fffffffn : 0xffffffffn, position);
}

function checkRange(value: bigint, least: bigint, most: bigint, position: SourcePosition): void {
  if (value < least || value > most)
    throw new AssemblerError(position, `displacement 0x${BigInt.asUintN(64, value).toString(16)} does not fit`);
}

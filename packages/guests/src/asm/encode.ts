import { type AddressContext, addressSizeOf, type EncodedAddress, encodeAddress } from './address.ts';
import { AssemblerError, type SourcePosition } from './errors.ts';
import { type Expression, evaluate, type Value } from './expression.ts';
import type { Form } from './forms.ts';
import type { Instruction, InstructionContext, Prepared } from './instruction.ts';
import { matchForms } from './match.ts';
import type { Operand } from './operand.ts';
import type { Register } from './registers.ts';

/** Bytes of the prefix words; sizes are handled apart. */
const PREFIX_BYTES: Readonly<Record<string, number>> = {
  lock: 0xf0,
  rep: 0xf3,
  repe: 0xf3,
  repz: 0xf3,
  repne: 0xf2,
  repnz: 0xf2,
  xacquire: 0xf2,
  xrelease: 0xf3,
};
const SEGMENT_BYTES: Readonly<Record<string, number>> = { es: 0x26, cs: 0x2e, ss: 0x36, ds: 0x3e, fs: 0x64, gs: 0x65 };
const SIZE_PREFIX = /^([oa])(16|32|64)$/;

/** Whether a word can stand before a mnemonic. */
export function isPrefix(word: string): boolean {
  return PREFIX_BYTES[word] !== undefined || SIZE_PREFIX.test(word);
}

/**
 * Encodes one instruction in the shortest form NASM would take.
 *
 * @throws AssemblerError when no form fits, or a value does not
 */
export function encodeInstruction(instruction: Instruction, context: InstructionContext): number[] {
  const { position } = instruction;
  const value = (expression: Expression): Value => evaluate(expression, context.scope, position);
  const sizeWord = instruction.prefixes.findLast((word) => /^o(16|32|64)$/.test(word));
  const prepared: Prepared = {
    instruction,
    context,
    prefixSize: sizeWord === undefined ? 0 : Number(sizeWord.slice(1)),
    values: instruction.operands.map((operand) =>
      operand.kind === 'immediate' || operand.kind === 'far' ? value(operand.value) : undefined,
    ),
    modeSize: context.bits === 16 ? 16 : 32,
  };
  return emit(matchForms(prepared), prepared, value);
}

function emit(form: Form, prepared: Prepared, value: (expression: Expression) => Value): number[] {
  const { instruction, context, values } = prepared;
  const { operands, position } = instruction;
  const { bits } = context;
  const registerAt = (index: number): Register | undefined => {
    const operand = operands[index];
    return operand?.kind === 'register' ? operand.register : undefined;
  };
  const memory = operands.find((operand) => operand.kind === 'memory')?.memory;
  const isOffset = form.operands.some(({ kind }) => kind === 'moffs');
  const addressContext: AddressContext = { bits, defaultRelative: context.defaultRelative, evaluate: value, position };
  const address = memory === undefined || isOffset ? undefined : encodeAddress(memory, addressContext);

  const reg = registerAt(form.reg);
  const rm = registerAt(form.rm);
  const plus = registerAt(form.plus);
  const out: number[] = form.wait ? [0x9b] : [];
  prefixes(out, form, prepared, memory?.segment, address?.addressSize ?? (memory && addressSizeOf(memory, bits)));

  const rexW = (form.operandSize === 64 && !form.bare) || prepared.prefixSize === 64;
  let rex = rexW ? 0x48 : 0;
  const extend = (register: Register | undefined, bit: number): void => {
    if (register !== undefined && register.number >= 8) rex |= 0x40 | bit;
    if (register?.needsRex) rex |= 0x40;
  };
  extend(reg, 4);
  extend(rm, 1);
  extend(plus, 1);
  if (address?.rexX) rex |= 0x42;
  if (address?.rexB) rex |= 0x41;
  if (rex !== 0 && bits !== 64) throw new AssemblerError(position, 'this needs 64-bit code');
  const high = operands.find((operand) => operand.kind === 'register' && operand.register.high);
  if (rex !== 0 && high?.kind === 'register')
    throw new AssemblerError(
      position,
      `${high.register.name} cannot be used in an instruction that needs a REX prefix`,
    );
  if (rex !== 0) out.push(rex);

  out.push(...form.opcode);
  if (plus !== undefined) out[out.length - 1]! += plus.number & 7;
  const patch = modRm(out, form, reg, rm, address);
  for (const { code, operand } of form.trailers) {
    const source = operands[operand]!;
    const number = values[operand];
    if (code === 'mo') directAddress(out, source, addressContext, memory && addressSizeOf(memory, bits));
    else if (code === 'jb' || code === 'jv')
      relative(out, code === 'jb' ? 1 : branchSize(form), number!, context, position);
    else if (code === 'jf') {
      bytes(out, number!, form.operandSize === 16 ? 2 : 4, position);
      bytes(out, source.kind === 'far' ? value(source.selector) : number!, 2, position);
    } else immediate(out, code, number!, form, position);
  }
  if (form.tail >= 0) out.push(form.tail);
  if (patch !== undefined) {
    // RIP-relative: counted from the end of the whole instruction.
    const distance = address!.displacement - (context.scope.here.number + BigInt(out.length));
    write(out, patch, distance, 4);
  }
  return out;
}

function prefixes(
  out: number[],
  form: Form,
  { instruction, context, prefixSize, modeSize }: Prepared,
  segment: Register | undefined,
  memorySize: number | undefined,
): void {
  const { bits } = context;
  for (const word of instruction.prefixes) if (PREFIX_BYTES[word] !== undefined) out.push(PREFIX_BYTES[word]);
  if (segment !== undefined) out.push(SEGMENT_BYTES[segment.name]!);
  const size = form.operandSize !== 0 && !form.bare ? form.operandSize : prefixSize;
  if (size !== 0 && size !== 64 && size !== modeSize) out.push(0x66);
  const addressWord = instruction.prefixes.find((word) => /^a(16|32|64)$/.test(word));
  const addressSize = memorySize ?? (form.addressSize || Number(addressWord?.slice(1) ?? bits));
  if (addressSize !== bits) {
    if (addressSize === (bits === 64 ? 16 : 64))
      throw new AssemblerError(instruction.position, `a ${addressSize}-bit address cannot be used in ${bits}-bit code`);
    out.push(0x67);
  }
  if (form.mandatory !== 0) out.push(form.mandatory);
}

/** Emits ModRM, SIB and displacement; returns where a RIP-relative displacement is to be filled in. */
function modRm(
  out: number[],
  form: Form,
  reg: Register | undefined,
  rm: Register | undefined,
  address: EncodedAddress | undefined,
): number | undefined {
  if (form.rm < 0) return undefined;
  const middle = (form.digit >= 0 ? form.digit : (reg?.number ?? 0) & 7) << 3;
  if (address === undefined) {
    out.push(0xc0 | middle | ((rm?.number ?? 0) & 7));
    return undefined;
  }
  out.push((address.mod << 6) | middle | address.rm);
  if (address.sib >= 0) out.push(address.sib);
  const at = out.length;
  write(out, at, address.displacement, address.displacementSize);
  return address.relative ? at : undefined;
}

function branchSize(form: Form): number {
  return form.operandSize === 16 ? 2 : 4;
}

function relative(
  out: number[],
  size: number,
  target: Value,
  context: InstructionContext,
  position: SourcePosition,
): void {
  const distance = target.number - (context.scope.here.number + BigInt(out.length + size));
  const limit = 1n << BigInt(size * 8 - 1);
  // A 16-bit offset wraps; while a label is not known, any distance will do.
  if (target.known && size !== 2 && (distance < -limit || distance >= limit) && !(size === 4 && context.bits !== 64))
    throw new AssemblerError(position, `the target is ${distance} bytes away, too far for this jump`);
  write(out, out.length, distance, size);
}

function directAddress(out: number[], operand: Operand, context: AddressContext, size: number | undefined): void {
  if (operand.kind !== 'memory' || operand.memory.displacement === undefined) return;
  bytes(out, context.evaluate(operand.memory.displacement), (size ?? context.bits) / 8, context.position);
}

function immediate(out: number[], code: string, value: Value, form: Form, position: SourcePosition): void {
  const signExtended = form.operandSize === 64 && (code === 'iv' || (code === 'id' && !form.bare));
  if (code === 'iv' || code === 'id') {
    const size = code === 'iv' && form.operandSize === 16 ? 2 : 4;
    if (signExtended && value.known && BigInt.asIntN(32, value.number) !== value.number)
      throw new AssemblerError(
        position,
        `0x${BigInt.asUintN(64, value.number).toString(16)} does not fit a signed 32-bit immediate`,
      );
    bytes(out, value, size, position);
    return;
  }
  const size = { ib: 1, iw: 2, iq: 8 }[code] ?? 1;
  const simm = code === 'ib' && form.operands.some(({ kind }) => kind === 'simm');
  bytes(out, simm ? { ...value, number: BigInt.asIntN(8, value.number) } : value, size, position);
}

/** Appends a value that must fit, signed or unsigned. */
function bytes(out: number[], value: Value, size: number, position: SourcePosition): void {
  checkFits(value, size, position);
  write(out, out.length, value.number, size);
}

/** @throws AssemblerError for a value that fits `size` bytes neither signed nor unsigned */
export function checkFits(value: Value, size: number, position: SourcePosition): void {
  const bits = BigInt(size * 8);
  const { number } = value;
  if (size < 8 && value.known && (number < -(1n << (bits - 1n)) || number >= 1n << bits))
    throw new AssemblerError(position, `${number} does not fit ${size === 1 ? 'a byte' : `${size} bytes`}`);
}

function write(out: number[], at: number, value: bigint, size: number): void {
  let rest = BigInt.asUintN(size * 8, value);
  for (let index = 0; index < size; index++) {
    out[at + index] = Number(rest & 0xffn);
    rest >>= 8n;
  }
}

import { AssemblerError } from './errors.ts';
import type { Value } from './expression.ts';
import { FORMS, type Form, type Pattern } from './forms.ts';
import type { Prepared } from './instruction.ts';
import type { Operand } from './operand.ts';

/**
 * Chooses the form of an instruction: the first in the table that all operands fit.
 *
 * @throws AssemblerError when the mnemonic is unknown, nothing fits, or the size of a memory operand is open
 */
export function matchForms(prepared: Prepared): Form {
  const { mnemonic, operands, position } = prepared.instruction;
  const candidates = FORMS.get(mnemonic);
  if (candidates === undefined) throw new AssemblerError(position, `unknown instruction ${mnemonic}`);
  const fitting = candidates.filter((form) => form.operands.length === operands.length && fits(form, prepared));
  const first = fitting[0];
  if (first === undefined) throw new AssemblerError(position, whyNone(candidates, prepared));
  const open = operands.findIndex((operand) => operand.kind === 'memory' && operand.size === undefined);
  if (open >= 0) {
    const sizes = new Set(fitting.map((form) => form.operands[open]!.size));
    if (sizes.size > 1 && !sizes.has(0))
      throw new AssemblerError(position, 'the size of the memory operand is not given (byte, word, dword, qword ...)');
  }
  return first;
}

function whyNone(candidates: readonly Form[], { instruction, context }: Prepared): string {
  const { mnemonic, operands } = instruction;
  if (!candidates.some((form) => form.operands.length === operands.length))
    return `${mnemonic} does not take ${operands.length} operands`;
  if (!candidates.some((form) => (context.bits === 64 ? form.in64 : form.inLegacy)))
    return `${mnemonic} does not exist in ${context.bits}-bit code`;
  return `${mnemonic} does not take these operands in ${context.bits}-bit code`;
}

function fits(form: Form, prepared: Prepared): boolean {
  const { instruction, context, prefixSize, modeSize } = prepared;
  if (context.bits === 64 ? !form.in64 : !form.inLegacy) return false;
  const sized = instruction.operands.some(
    (operand) => (operand.size !== undefined && operand.size !== 8) || operand.kind === 'register',
  );
  if (form.defaultSize && !sized) {
    if (form.operandSize !== (prefixSize || (context.bits === 64 ? 64 : modeSize))) return false;
  }
  const given = givenSize(instruction.operands);
  return form.operands.every((pattern, index) =>
    operandFits(pattern, instruction.operands[index]!, index, form, prepared, given),
  );
}

/** A size word on an immediate counts for a memory operand without one, as in `mov [x], dword 5`. */
function givenSize(operands: readonly Operand[]): number | undefined {
  return operands.find((operand) => operand.kind === 'immediate' && operand.size !== undefined)?.size;
}

const EXACT = new Set([
  'al',
  'ax',
  'eax',
  'rax',
  'cl',
  'cx',
  'ecx',
  'rcx',
  'dx',
  'st0',
  'cs',
  'ss',
  'ds',
  'es',
  'fs',
  'gs',
]);

function operandFits(
  pattern: Pattern,
  operand: Operand,
  index: number,
  form: Form,
  prepared: Prepared,
  given: number | undefined,
): boolean {
  if (EXACT.has(pattern.kind)) return operand.kind === 'register' && operand.register.name === pattern.kind;
  switch (operand.kind) {
    case 'register':
      return registerFits(pattern, operand.register.class, operand.register.size);
    case 'memory':
      return memoryFits(pattern, operand, prepared, given);
    case 'far':
      return pattern.kind === 'far' && (operand.size === undefined || operand.size === pattern.size);
    case 'immediate':
      return immediateFits(pattern, operand, prepared.values[index]!, form, prepared);
  }
}

function registerFits(pattern: Pattern, cls: string, size: number): boolean {
  switch (pattern.kind) {
    case 'r':
    case 'rm':
    case 'q':
      return cls === 'gpr' && size === pattern.size;
    case 'mm':
    case 'mmq':
    case 'mm/m':
      return cls === 'mm';
    case 'xmm':
    case 'xmmq':
    case 'xmm/m':
      return cls === 'xmm';
    default:
      return cls === pattern.kind;
  }
}

function memoryFits(
  pattern: Pattern,
  operand: Extract<Operand, { kind: 'memory' }>,
  { context }: Prepared,
  given: number | undefined,
): boolean {
  const far = operand.distance === 'far';
  if (far !== (pattern.kind === 'mfar')) return false;
  if (pattern.kind === 'moffs') {
    const { registers, displacement, addressSize, relative } = operand.memory;
    const direct = registers.length === 0 && displacement !== undefined && relative !== true;
    if (!direct || (context.bits === 64) !== (addressSize === 64)) return false;
  } else if (!['rm', 'm', 'mfar', 'mm/m', 'xmm/m'].includes(pattern.kind)) return false;
  if (pattern.size === 0) return true;
  if (operand.size !== undefined) return operand.size === pattern.size;
  return given === undefined || given === pattern.size || !['rm'].includes(pattern.kind);
}

function immediateFits(
  pattern: Pattern,
  { size, strict, distance }: Operand,
  value: Value,
  form: Form,
  prepared: Prepared,
): boolean {
  const scalar = value.known && value.base === 0;
  const { number } = value;
  switch (pattern.kind) {
    case '1':
      return scalar && number === 1n && !strict && size === undefined;
    case 'imm':
      if (pattern.size === 8) return size === undefined || size === 8;
      if (size === undefined) return true;
      return (
        size === pattern.size ||
        (pattern.size === 64 && size === 32 && !form.trailers.some(({ code }) => code === 'iq'))
      );
    case 'simm': {
      if (size === 8) return true;
      if (strict || !scalar) return false;
      if (size !== undefined && size !== pattern.size && !(size === 32 && pattern.size === 64)) return false;
      const wrapped = BigInt.asIntN(pattern.size, number);
      const inRange = wrapped === number || BigInt.asUintN(pattern.size, number) === number;
      return inRange && wrapped >= -0x80n && wrapped <= 0x7fn;
    }
    case 'uconst':
      return scalar && !strict && (size === undefined || size === 64) && number >= 0n && number <= 0xffffffffn;
    case 'sconst':
      if (size === 32) return true;
      return scalar && !strict && (size === undefined || size === 64) && BigInt.asIntN(32, number) === number;
    case 'rel':
      if (pattern.size !== 8) return distance !== 'short' && (size === undefined || size === form.operandSize);
      return (
        distance === 'short' ||
        isOnlyShort(form) ||
        (distance !== 'near' && size === undefined && near(value, form, prepared))
      );
    default:
      return false;
  }
}

function isOnlyShort(form: Form): boolean {
  return !FORMS.get(form.mnemonic)!.some(({ operands }) => operands[0]?.kind === 'rel' && operands[0].size !== 8);
}

/** Whether a short jump reaches; hoped for while the target is not known, so that code only grows from pass to pass. */
function near(target: Value, form: Form, { context, instruction }: Prepared): boolean {
  if (!target.known) return true;
  const { here } = context.scope;
  if (target.base !== here.base) return false;
  const length = BigInt(form.opcode.length + 1 + instruction.prefixes.length);
  const distance = target.number - (here.number + length);
  return distance >= -0x80n && distance <= 0x7fn;
}

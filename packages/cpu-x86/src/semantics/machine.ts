import { Code, type FuncRef, type IntType, type Val, type ValType, v128pair } from '@sterna/wasm';
import type { CellName, TypeOfCell } from '../state/layout.ts';
import type { Bits, Operand } from './operand.ts';

/** Wasm type a state cell has in expressions. */
export type ValOfCell<N extends CellName> =
  TypeOfCell<N> extends 'u64'
    ? 'i64'
    : TypeOfCell<N> extends 'f64'
      ? 'f64'
      : TypeOfCell<N> extends 'v128'
        ? 'v128'
        : 'i32';

/** An integer expression whose width depends on the operand: i64 for 64 bits, i32 for 8, 16 and 32. */
export type Int = Val<IntType>;

/** Facts about the variant being written; all known when the code is written, so `if` on them in TypeScript. */
export interface Variant {
  /** Operand size attribute in bits (16, 32 or 64); 8 for byte forms declared so. */
  readonly size: 16 | 32 | 64;
  /** Address size in bits for rows with `asz`; 0 when the row does not depend on it. */
  readonly addressSize: 0 | 16 | 32 | 64;
  /** Repeat prefix for rows with `rep`: none, F3 or F2. */
  readonly rep: '' | 'repe' | 'repne';
  /** Condition code 0-15 of rows with `cc`. */
  readonly cc: number;
  /** true: 64-bit mode; false: any other; undefined: the row does not distinguish, ask at run time with `inLongMode()`. */
  readonly code64: boolean | undefined;
  /** Stack-pointer-based default segment, LOCK and so on are the decoder's business and not visible here. */
  readonly name: string;
}

/** Where a linear access goes. */
export interface AccessOptions {
  /** Supervisor access whatever the CPL: descriptor tables, TSS, IDT. */
  readonly system?: boolean;
  /** A violation of the canonical form raises #SS instead of #GP. */
  readonly stack?: boolean;
}

/** A memory or register operand that is read, changed and written back with one translation. */
export interface ReadModifyWrite {
  /** The old value (named: may be used several times). */
  readonly value: Int;
  /** Writes the new value; never faults. Bits above the size are ignored. */
  store(value: Int): void;
}

/** Formula of the lazy flags; operands are given at the operation's size. Shifts: `b` is the masked count, not 0. */
export type FlagKind = 'add' | 'sub' | 'adc' | 'sbb' | 'inc' | 'dec' | 'logic' | 'mul' | 'shl' | 'shr' | 'sar';

/**
 * A wasm function of its own that semantics and other microcode call with `Machine.call`: written once in the same language
 * as instructions, printed on first use.
 */
export interface Micro {
  readonly name: string;
  readonly params: readonly ValType[];
  readonly results: readonly ValType[];
  /** Its one i32 result is a status: 0 done, anything else "an exception was raised (or the CPU must leave)". */
  readonly faults: boolean;
  /**
   * A printer may write the body in place of a call: it uses parameters, `let`, `if`, `return`, cells other than registers,
   * operations on values, and calls of microcode, nothing else.
   */
  readonly inline?: boolean;
  readonly body: (m: Machine) => void;
}

/** A function of the host (JavaScript) that generated code may call. All values are i32. */
export interface HostFunction {
  readonly host: true;
  readonly name: string;
  readonly params: readonly ValType[];
  readonly results: readonly ValType[];
}

/**
 * What the semantics of instructions are written against. It is a wasm function body (`Code`: expressions, locals, control
 * flow) plus the x86 machine: state cells, operands with faults, flags, exceptions, transfers. Two printers implement it:
 * the interpreter's handlers now, translated regions later; semantics know neither.
 *
 * **Order.** Read and check everything that can fault first, then commit: after the first `write`, `put`, `setFlags` or
 * `store` nothing may raise, unless the partial state is architectural (REP, PUSHA...), and then registers are brought up to
 * date before each access that may fault. `raise*`, faulting `call`, `read` and `linear` of a memory operand, `loadLinear`
 * and `storeLinear` may leave; what follows them in program order is then not executed.
 */
export abstract class Machine extends Code {
  /** The variant being written. */
  abstract readonly variant: Variant;

  // State cells

  /** Reads a state cell; for arrays with a constant or computed index. Evaluated where it is used: `let` it to keep it. */
  abstract get<N extends CellName>(name: N, index?: number | Val<'i32'>): Val<ValOfCell<N>>;
  /** Writes a state cell. */
  abstract put<N extends CellName>(name: N, value: Val<ValOfCell<N>> | number, index?: number | Val<'i32'>): void;

  // Operands

  /** Value of an operand: zero-extended i32 up to 32 bits, i64 for 64, v128 for 128. Memory is read with all checks. Named. */
  abstract read(op: Operand): Int;
  /** Value of a 128-bit operand (XMM register or memory; memory is not checked for alignment here: `checkAligned`). */
  abstract readVector(op: Operand): Val<'v128'>;
  /** Writes an operand: 32-bit GPR writes clear the upper half, 8/16-bit ones merge. Memory is written with all checks. */
  abstract write(op: Operand, value: Int): void;
  /** Writes a 128-bit operand. */
  abstract writeVector(op: Operand, value: Val<'v128'>): void;
  /** Opens an operand for read-modify-write; probes for writing before anything is changed. */
  abstract rmw(op: Operand): ReadModifyWrite;
  /** Number of a `sreg`, `creg`, `dreg` or `st` operand. */
  abstract regNumber(op: Operand): Val<'i32'>;
  /** Effective address (offset without segment) of a memory operand, truncated to the address size: LEA. */
  abstract ea(op: Operand): Val<'i64'>;
  /**
   * Linear address of a memory operand of `bytes` bytes (default: its size), with segment checks outside 64-bit mode.
   * `write` chooses the check; `delta` is added to the offset. Named.
   */
  abstract linear(op: Operand, bytes?: number, write?: boolean, delta?: Val<'i64'>): Val<'i64'>;
  /** Linear address of a memory operand that must be aligned to 16 bytes, else #GP(0), even where it leaves its segment. */
  linearAligned(op: Operand, bytes: number, write = false): Val<'i64'> {
    const at = this.linear(op, bytes, write);
    this.checkAligned(at);
    return at;
  }
  /** Value of a 128-bit operand whose memory form must be aligned to 16 bytes. */
  readAligned(op: Operand): Val<'v128'> {
    return op.kind === 'mem' ? this.loadLinear(this.linearAligned(op, 16), 128) : this.readVector(op);
  }
  /** Writes a 128-bit operand whose memory form must be aligned to 16 bytes. */
  writeAligned(op: Operand, value: Val<'v128'>): void {
    if (op.kind === 'mem') this.storeLinear(this.linearAligned(op, 16, true), 128, value);
    else this.writeVector(op, value);
  }
  /** 1 when a memory operand's base register is rSP (POP computes its address after the pop). */
  abstract baseIsSp(op: Operand): Val<'i32'>;
  /** Linear address of an offset in DS or the overriding segment; rows with `asz` only. Named. */
  abstract sourceLinear(offset: Val<'i64'>, bytes: number, write?: boolean): Val<'i64'>;
  /** Linear address of an offset in a given segment, with checks outside 64-bit mode. Named. */
  abstract segmentLinear(seg: number, offset: Val<'i64'>, bytes: number, write?: boolean): Val<'i64'>;
  /** Immediate selector of a far pointer operand. */
  abstract farSelector(op: Operand): Val<'i32'>;
  /** Immediate offset of a far pointer operand. */
  abstract farOffset(op: Operand): Val<'i64'>;

  /** The number in the low lane of an XMM operand, or in memory, by its size. Named. */
  readFloat(op: Operand): Val<'f32' | 'f64'> {
    return this.let(this.reinterpret(this.read(op) as Val<'i32'>)) as Val<'f32' | 'f64'>;
  }

  /** Writes the low lane of an XMM operand and keeps the rest, or writes memory. */
  writeFloat(op: Operand, value: Val<'f32' | 'f64'>): void {
    this.write(op, this.reinterpret(value as Val<'f32'>));
  }

  /** Writes the low lane of an XMM operand and clears the rest. */
  writeFloatAlone(op: Operand, value: Val<'f32' | 'f64'>): void {
    const zero = v128pair(0n, 0n);
    this.writeVector(op, this.replaceLane(value.type === 'f64' ? 'f64x2' : 'f32x4', zero, 0, value));
  }

  /**
   * 0 when MXCSR lets the results of the host's arithmetic stand: rounding to nearest, everything masked, PE set. DAZ and FTZ
   * do not matter to numbers that are normal.
   */
  mxcsrDoubt(): Val<'i32'> {
    return this.xor(this.and(this.get('mxcsr'), 0x7fa0), 0x1fa0);
  }

  /** 0 when bit 62 of a wide value, or bit 30 of a narrow one, is set and {@link mxcsrDoubt} is 0. */
  doubtUnlessTop(value: Int): Val<'i32'> {
    const isSet =
      value.type === 'i64'
        ? this.and(value as Val<'i64'>, this.i64(1n << 62n))
        : this.and(value as Val<'i32'>, 1 << 30);
    return this.or(this.eqz(isSet as Val<'i32'>), this.mxcsrDoubt());
  }

  /** Statement after microcode that may have changed cell mxcsr. */
  mxcsrChanged(): void {}

  // Registers by number

  /** A general register at a width. 8-bit registers 4-7 are SPL..DIL here; AH..BH are operands' business. */
  abstract gpr(reg: number, bits: 8 | 16 | 32 | 64): Int;
  /** Writes a general register with the width's merge rule. */
  abstract setGpr(reg: number, bits: 8 | 16 | 32 | 64, value: Int): void;

  // Linear memory of the guest

  /** Loads from a linear address: i32 zero-extended up to 32 bits, i64, or v128. Named. May leave. */
  abstract loadLinear<B extends Bits>(
    linear: Val<'i64'>,
    bits: B,
    options?: AccessOptions,
  ): Val<B extends 64 ? 'i64' : B extends 128 ? 'v128' : 'i32'>;
  /** Stores to a linear address. May leave, and then nothing is written. */
  abstract storeLinear(linear: Val<'i64'>, bits: Bits, value: Val, options?: AccessOptions): void;
  /** Checks that `bytes` bytes (at most 4096) can be written, so that stores to them do not fault afterwards. */
  abstract probeWrite(linear: Val<'i64'>, bytes: number, options?: AccessOptions): void;
  /** Raises #GP(0) unless the linear address is a multiple of 16. */
  abstract checkAligned(linear: Val<'i64'>): void;

  // Flags

  /** Records the operation whose flags are now current. `b` and `carry` as the operation had them; `inc`/`dec` keep CF. */
  abstract setFlags(kind: FlagKind, bits: Bits, a: Int, b: Int, result: Int, carry?: Val<'i32'>): void;
  /** Sets ZF, SF and PF from a result and CF, OF and AF from their bits in `bits` (EFLAGS positions). */
  abstract setFlagsResult(size: Bits, result: Int, cfOfAf: Val<'i32'>): void;
  /** Sets all six arithmetic flags from their EFLAGS positions. */
  abstract setArithFlags(value: Val<'i32'>): void;
  /** Sets CF only (0 or 1); the others keep their values. */
  abstract setCarry(value: Val<'i32'>): void;
  /** Sets CF and OF (0 or 1); the others keep their values. */
  abstract setCarryOverflow(cf: Val<'i32'>, of: Val<'i32'>): void;
  /** CF as 0 or 1. */
  abstract cf(): Val<'i32'>;
  /** All six arithmetic flags at their EFLAGS positions. */
  abstract arithFlags(): Val<'i32'>;
  /** Condition code (0-15, as in Jcc) as 0 or not 0. */
  abstract cond(cc: number): Val<'i32'>;

  // Exceptions and transfers

  /**
   * A check (`body` raises or does nothing) whose outcome cannot change inside straight-line code that contains no
   * mode-changing instruction; a printer may do it once for a stretch of code, and tells such checks apart by `key`.
   */
  abstract once(key: string, body: () => void): void;

  /** Raises an exception at this instruction; ends the path. Error code only for vectors that have one. */
  abstract raise(vector: number, error?: Val<'i32'> | number): void;
  /** Raises when the condition is not zero. */
  abstract raiseIf(cond: Val<'i32'>, vector: number, error?: Val<'i32'> | number): void;
  /** Address of the next instruction (offset in CS). */
  abstract nextRip(): Val<'i64'>;
  /** Address of this instruction (offset in CS). */
  abstract thisRip(): Val<'i64'>;
  /** Ends the instruction with a jump to a relative operand. */
  abstract jumpRelative(op: Operand): void;
  /** Ends the instruction: jumps to a relative operand when the condition is not zero, else goes on. */
  abstract jumpRelativeIf(op: Operand, cond: Val<'i32'>): void;
  /** Target of a relative operand, truncated to the operand size (offset in CS). */
  abstract relativeTarget(op: Operand): Val<'i64'>;
  /** Raises #GP(0) when an offset in CS cannot be jumped to: above the limit, or not canonical. Call it before committing. */
  abstract checkTarget(target: Val<'i64'>): void;
  /** Ends the instruction with a jump to an offset in CS, already truncated and checked. */
  abstract jump(target: Val<'i64'>): void;
  /** Ends the path: this instruction is done but later ones may decode or be translated differently, or an interrupt may have become possible. */
  abstract serialize(): void;
  /** As {@link serialize}, but continues at state cell `rip`, which the semantics have set (far transfers). */
  abstract refetch(): void;
  /** Ends the path: this instruction is done; run() returns `reason` (CpuExit). */
  abstract exit(reason: number): void;
  /** Ends the path: this instruction is done, the next one follows as usual. */
  abstract done(): void;
  /** Ends the path of a repeated instruction that is not finished: executes it again, after looking at events. */
  abstract repeat(): void;

  // Calls

  /** Calls microcode. A faulting one leaves when its status is not 0; others give their result as an expression. */
  abstract invoke<T extends ValType = 'i32'>(fn: Micro, ...args: Val[]): Val<T>;
  /** Calls a host function (void ones too; then the result must not be used). Events and budget are looked at after the instruction. */
  abstract hostCall(fn: HostFunction, ...args: Val<'i32'>[]): Val<'i32'>;
  /** The wasm function of microcode, for direct use. */
  abstract functionOf(fn: Micro): FuncRef;

  // Modes (run time)

  /** 1 in 64-bit mode (CS.L and LMA), else 0. A literal when the variant knows. */
  abstract inLongMode(): Val<'i32'>;
  /** Current privilege level. */
  abstract cpl(): Val<'i32'>;

  // Stack

  /** Stack pointer lowered by `bytes` and truncated, with nothing written yet: the new SP. */
  abstract stackTop(bytes: number): Val<'i64'>;
  /** Writes a value at SP-size and then lowers SP. Faults before any change. */
  abstract push(bits: 16 | 32 | 64, value: Int): void;
  /** Reads the value at SP (plus `offset` bytes) without changing SP. */
  abstract peek(bits: 16 | 32 | 64, offset?: number): Int;
  /** Sets SP with the width of the stack. */
  abstract setSp(value: Val<'i64'>): void;
  /** SP as the stack's width sees it. */
  abstract sp(): Val<'i64'>;
}

import type { Cr16 } from '../cr16.ts';

/** Bytes of an operand. */
export type Size = 1 | 2 | 4;

/** What the base of a memory operand is. */
export const BASE = {
  /** None: the displacement is the address. */
  NONE: 0,
  /** The 16 bits of a register. */
  REGISTER: 1,
  /** A register pair. */
  PAIR: 2,
} as const;

/** A memory operand. */
export interface MemoryOperand {
  readonly base: (typeof BASE)[keyof typeof BASE];
  /** Register or pair of the base. */
  readonly register: number;
  /** 12 or 13 when R12 or R13 is added, else -1. */
  readonly index: number;
  readonly displacement: number;
}

/** How the operands of an instruction are written, for the disassembler. */
export type Shape =
  | 'none'
  | 'source-destination'
  | 'register'
  | 'pair'
  | 'branch'
  | 'branch-register'
  | 'link'
  | 'link-pair'
  | 'jump-link'
  | 'load'
  | 'store'
  | 'store-immediate'
  | 'bit-memory'
  | 'list'
  | 'list-ra'
  | 'ra'
  | 'count'
  | 'vector'
  | 'to-processor'
  | 'from-processor'
  | 'multiply-accumulate';

/** Executes one instruction. It may throw {@link PAGE_WAIT} before its first effect only. */
export type Execute = (cpu: Cr16, instruction: Instruction) => void;

/** What an instruction is made of; members that it does not use are 0. */
export interface InstructionFields {
  readonly mnemonic: string;
  readonly shape: Shape;
  readonly execute: Execute;
  /** Bytes of the operation. */
  readonly size?: Size;
  /** Whether `source` is a value, and not the number of a register. */
  readonly immediate?: boolean;
  readonly source?: number;
  /** Bytes of the source register, where it has another width. */
  readonly sourceSize?: Size;
  readonly destination?: number;
  readonly memory?: MemoryOperand;
}

const NO_MEMORY: MemoryOperand = { base: BASE.NONE, register: 0, index: -1, displacement: 0 };

/** A decoded instruction. One class, so that the interpreter's accesses see one shape of object. */
export class Instruction {
  readonly mnemonic: string;
  readonly shape: Shape;
  readonly execute: Execute;
  /** Bytes of the instruction itself. */
  readonly length: number;
  readonly size: Size;
  readonly immediate: boolean;
  readonly source: number;
  readonly sourceSize: Size;
  readonly destination: number;
  readonly memory: MemoryOperand;

  constructor(length: number, fields: InstructionFields) {
    this.length = length;
    this.mnemonic = fields.mnemonic;
    this.shape = fields.shape;
    this.execute = fields.execute;
    this.size = fields.size ?? 2;
    this.immediate = fields.immediate ?? false;
    this.source = fields.source ?? 0;
    this.sourceSize = fields.sourceSize ?? this.size;
    this.destination = fields.destination ?? 0;
    this.memory = fields.memory ?? NO_MEMORY;
  }
}

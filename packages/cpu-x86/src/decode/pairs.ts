import type { Operand } from '../semantics/operand.ts';
import type { HandlerSpec } from './handlers.ts';

/**
 * Pairs of consecutive instructions that get a handler of their own, by the labels of their handlers: the ones that a
 * profile of a kernel boot shows to be most frequent. Mispredicted dispatches are the interpreter's main cost, and a pair
 * has one instead of two. The first must run to its end without a transfer.
 */
const PAIRS: readonly string[] = [
  'mov r64,r64; mov r32,r32',
  'imul2 r64,r64; imul2 r64,r64',
  'mov r32,r32; shr r64,i8',
  'imul2 r64,r64; mov r64,r64',
  'add r64,r64; cmp r64,r64',
  'mov r64,r64; imul2 r64,r64',
  'add r32,i32; jcc 5 rel64',
  'add r64,r64; add r64,r64',
  'mov r64,r64; add r64,r64',
  'shl r64,i8; add r64,r64',
  'add r64,r64; mov r64,r64',
  'cmp r64,r64; mov r64,r64',
  'shr r64,i8; add r64,r64',
  'mov r64,r64; cmovcc 3 r64,r64',
  'shr r64,i8; mov r64,r64',
  'sub r64,r64; mov r64,[x]64',
  'add r64,r64; shl r64,i8',
  'cmovcc 3 r64,r64; add r64,r64',
  'add r64,r64; add r32,i32',
  'lea r64,[x]8; mov r64,r64',
  'cmp r64,r64; setcc 2 r8',
  'mov [b]64,r64; add r64,r64',
  'add r64,r64; shr r64,i8',
  'mov r64,[x]64; lea r64,[x]8',
  'setcc 2 r8; add r64,r64',
  'adc r64,r64; mov [b]64,r64',
  'mov r64,[b]64; movzx r32,r8',
  'shr r64,i8; mov r64,[b]64',
  'movzx r32,r8; sub r64,r64',
  'sub r64,r64; adc r64,r64',
  'pop r64; pop r64',
  'add r64,i64; mov [b]64,r64',
  'shr r64,i8; movzx r32,r8',
  'push r64; mov r64,r64',
  'mov r64,r64; mov r64,r64',
  'movzx r32,r8; add r64,[b]64',
  'add r64,[b]64; adc r64,r64',
  'add r64,i64; add r64,i64',
  'add r32,i32; movsxd r64,r32',
  'movsxd r64,r32; add r64,r64',
  'add r32,i32; add r32,i32',
  'add r64,r64; cmp r32,r32 j5',
  'movzx r32,[b]8; test r8,r8 j9',
  'mov r64,r64; push r64',
  'mov r64,[b]64; add r64,i64',
  'mov [b]64,r64; cmp r64,r64 j2',
  'movzx r32,[b]8; add r64,i64',
  'mov r64,r64; call rel64',
  'mov r64,[b]64; lea r64,[x]8',
  'mov [b]64,r64; movzx r32,[b]16',
  'add r32,r32; xor r32,r32',
  'sub r64,r64; xor r32,r32',
  'push r64; push r64',
  'add r64,i64; test r8,r8 j4',
  'mov r64,r64; mov [x]64,r64',
  'add r64,[x]64; setcc 2 r8',
  'adc r64,i64; add r32,i32',
  'mov [x]64,r64; adc r64,i64',
  'pop r64; ret',
  'ror r32,i8; add r32,r32',
  'mov [b]64,r64; mov r64,[b]64',
  'sub r64,r64; mov r64,r64',
  'mov r64,r64; shr r64,i8',
  'mov r64,[b]64; mov [b]64,r64',
  'mov r64,r64; sub r64,r64',
  'mov r32,r32; mov r64,r64',
  'mov r64,[b]64; mov r64,r64',
  'mov r32,r32; shr r32,i8',
  'add r32,r32; mov r32,[b]32',
  'movzx r32,r8; test [b]8,i8 j5',
  'xor r32,r32; ror r32,i8',
  'shr r32,i8; mov r32,r32',
  'mov r32,r32; lea r64,[x]8',
  'xor r32,r32; add r32,r32',
  'movzx r32,[b]8; lea r64,[b]8',
  'lea r64,[b]8; mov r32,r32',
  'lea r64,[x]8; cmp r32,i32 j7',
  'sub r64,r64; add r64,r64',
  'and r32,i32; add r64,i64',
  'lea r64,[x]8; and r32,i32',
  'movzx r32,[b]16; sub r64,r64',
  'add r64,r64; cmp r64,i64 j4',
  'lea r64,[x]8; mov [b]64,r64',
  'mov r64,[b]64; mov r64,[b]64',
  'add r64,i64; cmp r64,r64 j4',
  'add r64,[x]64; mov r64,r64',
  'xor r32,r32; add r64,[x]64',
  'setcc 2 r8; add r64,[x]64',
  'mov r64,r64; pop r64',
  'xor r32,r32; jmp rel64',
  'add r32,r32; add r32,r32',
  'xor r32,r32; mov r32,r32',
  'add r64,i64; cmp [b]8,i8 j5',
  'add r64,i64; cmp r64,r64 j5',
  'movzx r32,[x]8; cmp r8,[x]8 j4',
  'mov [b]64,r64; mov [b]64,r64',
  'mov r32,[b]32; add r32,r32',
  'mov r64,r64; mov r64,[b]64',
  'mov r64,r64; xor r32,r32',
  'pop r64; mov r64,r64',
  'movsxd r64,r32; push r64',
  'xor r32,r32; mov r64,[x]64',
  'setcc 2 r8; sub r64,r64',
  'mov r64,[x]64; add r64,[x]64',
  'push r64; mov r32,r32',
  'rol r32,i8; add r32,r32',
  'push r64; mov r64,i64w',
  'nop [x]32; push r64',
  'movsxd r64,[b]32; add r64,r64',
  'movzx r32,[b]8; movzx r32,[b]16',
  'pop r64; jmp rel64',
  'lea r64,[x]8; movzx r32,[b]8',
  'mov [x]64,r64; add r64,i64',
  'shr r64,r8=1; sub r32,r32',
  'sub r32,r32; movzx r32,r8',
  'add r64,r64; cmp r64,r64 j3',
  'lea r64,[x]8; movsxd r64,[b]32',
  'add r64,r64; sar r64,c1',
  'shr r64,i8; sar r64,i8',
  'sar r64,i8; add r64,r64',
  'sar r64,c1; lea r64,[x]8',
  'movzx r32,[b]8; jmp rel64',
];

/** Handlers of pairs: `table[row[first] * columns + column[second]]`, 0 where there is none. */
export interface PairTable {
  readonly row: Uint8Array;
  readonly column: Uint8Array;
  readonly columns: number;
  readonly table: Uint16Array;
}

function operandLabel(o: Operand): string {
  switch (o.kind) {
    case 'reg':
      return `${o.file === 'gpr' ? 'r' : o.file}${o.bits}`;
    case 'fixed':
      return `${o.file === 'gpr' ? 'r' : o.file}${o.bits}=${o.reg}`;
    case 'mem':
      return `[${o.form === 'base' ? 'b' : o.form === 'index' ? 'x' : o.form === 'segment' ? 's' : '*'}]${o.bits}`;
    case 'imm':
      return `i${o.bits}${o.wide ? 'w' : ''}`;
    case 'const':
      return `c${o.value}`;
    default:
      return `${o.kind}${o.bits}`;
  }
}

/** Short text of a handler: name, condition, operands, and the condition of a branch done with it. */
export function handlerLabel(s: HandlerSpec): string {
  const cc = s.variant.cc >= 0 ? ` ${s.variant.cc.toString(16)}` : '';
  const branch = s.fused >= 0 ? ` j${s.fused.toString(16)}` : '';
  return `${`${s.name}${cc} ${s.operands.map(operandLabel).join()}`.trim()}${branch}`;
}

/** Makes the pair handlers. @throws Error when the list names a handler that is not in the dispatcher */
export function makePairs(hot: readonly HandlerSpec[]): HandlerSpec[] {
  const byLabel = new Map<string, HandlerSpec>();
  for (const s of hot) if (s.variant.code64 !== false) byLabel.set(handlerLabel(s), s);
  return PAIRS.map((text) => {
    const [first, second] = text.split('; ').map((label) => {
      const s = byLabel.get(label);
      if (s === undefined) throw new Error(`pair '${text}': there is no hot handler '${label}'`);
      return s;
    });
    return { ...first!, key: `${first!.key}; ${second!.key}`, first: first!, second: second! };
  });
}

/** The table of pairs once all handlers are numbered. */
export function pairTable(pairs: readonly HandlerSpec[], count: number): PairTable {
  const row = new Uint8Array(count);
  const column = new Uint8Array(count);
  let rows = 1;
  let columns = 1;
  for (const p of pairs) {
    if (row[p.first!.id] === 0) row[p.first!.id] = rows++;
    if (column[p.second!.id] === 0) column[p.second!.id] = columns++;
  }
  const table = new Uint16Array(rows * columns);
  for (const p of pairs) table[row[p.first!.id]! * columns + column[p.second!.id]!] = p.id;
  return { row, column, columns, table };
}

import type { Operand } from '../semantics/operand.ts';
import type { HandlerSpec } from './handler-spec.ts';

/**
 * Consecutive instructions that get a handler of their own, by the labels of their handlers: the ones that a profile of a
 * kernel boot shows to be most frequent. Mispredicted dispatches are the interpreter's main cost, and a sequence has one for
 * all its parts. All but the last run to their end without a transfer. A longer sequence is joined from shorter ones in the
 * list: three as two and one or one and two, four as two and two.
 */
const SEQUENCES: readonly string[] = [
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
  'mov r32,r32; xor r32,r32',
  'mov [x]64,r64; setcc 2 r8',
  'cmp r64,r64; mov [x]64,r64',
  'mov r64,[b]64; and r64,r64',
  'mov r64,[b]64; cmp r64,r64 j2',
  'movzx r32,r8; test r32,r32 j4',
  'movzx r32,[b]8; test r8,r8 j5',
  'not r64; add r64,[b]64',
  'or r64,r64; cmp r64,r64 j3',
  'add r64,i64; mov [b]8,r8',
  'add r64,i64; movzx r32,[b]8',
  'sub r64,i64; add r64,i64',
  'mov [b]8,r8; sub r64,i64',
  'lea r64,[b]8; mov r64,r64',
  'nop [x]32; neg r32',
  'movsxd r64,r32; movsxd r64,[x]32',
  'mov r64,[b]64; jmp rel64',
  'movsxd r64,[x]32; test r32,r32 j9',
  'add r64,i64; cmp r64,r64 j3',
  'mov r64,[b]64; cmp r64,i64 j6',
  'mov r32,r32; sub r32,r32',
  'mov [b]8,r8; add r64,i64',
  'mov [b]32,r32; mov r32,[b]32',
  'cmp r64,r64; cmovcc 2 r64,r64',
  'mov [b]64,i64; mov [b]64,i64',
  'add r64,r64; movsxd r64,r32',
  'cmovcc 2 r64,r64; cmovcc 3 r64,r64',
  'shr r64,c1; add r64,r64',
  'add r64,[b]64; cmp r64,r64',
  'movzx r32,[b]8; test r8,r8 j4',
  'sub r32,i32; cmp r32,i32 j6',
  'movzx r32,[b]8; lea r32,[b]8',
  'mov r32,r32; add r32,i32',
  'mov r64,r64; cmp r64,r64 j2',
  'movsx r32,r8; sub r32,i32',
  'sub r32,r32; cmp r32,[b]32 j3',
  'lea r64,[x]8; lea r64,[x]8',
  'mov r32,r32; mov r32,r32',
  'add r32,i32; shl r64,r8=1',
  'mov r64,[b]64; sub r64,[s]64',
  'shl r64,r8=1; mov r32,r32',
  'sub r64,[s]64; jcc 5 rel64',
  'mov [b]64,r64; jmp rel64',
  'add r32,i32; add r64,i64',
  'lea r64,[b]8; cmp r64,r64 j3',
  'shr r64,i8; mov r32,r32',
  'sbb r32,r32; or r32,i32',
  'mov r64,r64; jmp rel64',
  'movzx r32,[x]16; mov r64,r64',
  'mov r32,r32; call rel64',
  'mov r64,[s]64; mov [b]64,r64',
  'mov r64,r64; add r64=0,i64',
  'movzx r32,[b]8; movzx r32,[x]16',
  'add r64=0,i64; movzx r32,[b]8',
  'sub r64,i64; mov r64,[b]64',
  'xor r32,r32; rol r32,i8',
  'add r64,r64; mov [b]64,r64',
  'add r32,i32; cmp r32,r32 j5',
  'lea r64,[b]8; lea r64,[b]8',
  'add r64,i64; cmp [b]32,r32 j4',
  'add r64,r64; mov r64,[b]64',
  'add r32,r32; mov r32,r32',
  'mov r64,[b]64; lea r64,[b]8',
  'mov r64,[b]64; call rel64',
  'mov r64,[b]64; mov r64,[x]64',
  'mov r64,r64; or r64,r64',
  'mov r64,[b]64; test r64,r64 j4',
  'shl r64,i8; mov r32,r32',
  'mov [b]64,r64; mov r64,i64',
  'mov r64,[b]64; sub r64,i64',
  'mov r64,[b]64; sub r32,i32',
  'sub r64,r64; mov r64,i64w',
  'sub r64,i64; mov r64,[x]64',
  'mov r64,[b]64; cmp r32,i32 j4',
  'mov [b]64,r64; sub r64,i64',
  'mov r32,r32; sub r64,r64',
  'sub r32,i32; mov [b]64,r64',
  'mov r64,i64; cmp r64,r64 j4',
  'mov r32,r32; or r64,r64',
  'shr r64,i8; or r64,r64',
  'mov r64,r64; shl r64,i8',
  'mov [b]8,i8; xor r32,r32',
  'mov r32,r32; mov r32,[b]32',
  'mov r32,r32; and r32,i32',
  'mov r32,[b]32; mov r64,[b]64',
  'mov [b]64,r64; xor r32,r32',
  'mov r32,[b]32; mov r32,[b]32',
  'mov [b]64,r64; call rel64',
  'xor r32,r32; ret',
  'add r64,i64; mov r64,r64',
  'xor r32,r32; mov r32,i32',
  'mov r64,r64; jcc 4 rel64',
  'mov r32,[b]32; test r32,r32 j4',
  'lea r64,[x]8; mov r64,r64; mov r32,r32; shr r64,i8',
  'add r64,r64; mov r64,r64; add r64,r64; cmp r64,r64',
  'add r64,r64; cmp r64,r64; mov r64,r64; cmovcc 3 r64,r64',
  'sub r64,r64; mov r64,[x]64; lea r64,[x]8; mov r64,r64',
  'mov r32,r32; shr r64,i8; mov r64,r64; imul2 r64,r64',
  'mov r64,r64; imul2 r64,r64; mov r64,r64; imul2 r64,r64',
  'mov r64,r64; imul2 r64,r64; imul2 r64,r64; imul2 r64,r64',
  'imul2 r64,r64; imul2 r64,r64; mov r64,r64; mov r32,r32',
  'mov r64,r64; mov r32,r32; shr r64,i8; add r64,r64',
  'shr r64,i8; add r64,r64; add r64,r64; mov r64,r64',
  'mov r64,r64; cmovcc 3 r64,r64; add r64,r64; shl r64,i8',
  'add r64,r64; shl r64,i8; add r64,r64; cmp r64,r64',
  'add r64,r64; cmp r64,r64; setcc 2 r8; add r64,r64',
  'adc r64,r64; mov [b]64,r64; add r64,r64; add r32,i32',
  'add r64,r64; add r32,i32; jcc 5 rel64',
  'setcc 2 r8; add r64,r64; shr r64,i8; mov r64,[b]64',
  'shr r64,i8; mov r64,[b]64; movzx r32,r8; sub r64,r64',
  'movzx r32,r8; sub r64,r64; adc r64,r64; mov [b]64,r64',
  'mov [b]64,r64; add r64,r64; add r32,i32; jcc 5 rel64',
  'setcc 2 r8; add r64,r64; shr r64,i8; movzx r32,r8',
  'shr r64,i8; movzx r32,r8; add r64,[b]64; adc r64,r64',
  'add r64,[b]64; adc r64,r64; mov [b]64,r64; add r64,r64',
  'add r32,i32; add r32,i32; movsxd r64,r32; add r64,r64',
  'movsxd r64,r32; add r64,r64; cmp r32,r32 j5',
  'mov r64,[b]64; add r64,i64; add r64,i64; mov [b]64,r64',
  'add r64,i64; mov [b]64,r64; cmp r64,r64 j2',
  'mov r64,r64; mov [x]64,r64; adc r64,i64; add r32,i32',
  'adc r64,i64; add r32,i32; jcc 5 rel64',
  'pop r64; pop r64; pop r64; pop r64',
  'pop r64; pop r64; ret',
  'movzx r32,[b]8; lea r64,[b]8; mov r32,r32; shr r32,i8',
  'mov r32,r32; shr r32,i8; mov r32,r32; lea r64,[x]8',
  'mov r32,r32; lea r64,[x]8; cmp r32,i32 j7',
  'mov r64,[b]64; lea r64,[x]8; and r32,i32; add r64,i64',
  'and r32,i32; add r64,i64; mov [b]64,r64; movzx r32,[b]16',
  'mov [b]64,r64; movzx r32,[b]16; sub r64,r64; add r64,r64',
  'sub r64,r64; add r64,r64; cmp r64,i64 j4',
  'sub r64,r64; xor r32,r32; add r64,[x]64; setcc 2 r8',
  'add r64,[x]64; setcc 2 r8; add r64,[x]64; mov r64,r64',
  'add r64,[x]64; mov r64,r64; mov r64,r64; mov [x]64,r64',
  'mov r64,[b]64; lea r64,[x]8; mov [b]64,r64; mov r64,[b]64',
  'mov [b]64,r64; mov r64,[b]64; mov [b]64,r64; movzx r32,[b]16',
  'movzx r32,[b]8; add r64,i64; test r8,r8 j4',
  'pop r64; mov r64,r64; pop r64; pop r64',
  'sub r64,r64; xor r32,r32; mov r64,[x]64; add r64,[x]64',
  'mov r64,[x]64; add r64,[x]64; setcc 2 r8; sub r64,r64',
  'setcc 2 r8; sub r64,r64; mov r64,r64; mov [x]64,r64',
  'shr r64,r8=1; sub r32,r32; movzx r32,r8',
  'mov r64,r64; sub r64,r64; mov r64,r64; shr r64,i8',
  'mov r64,r64; shr r64,i8; sar r64,i8; add r64,r64',
  'sar r64,i8; add r64,r64; sar r64,c1; lea r64,[x]8',
  'sar r64,c1; lea r64,[x]8; movsxd r64,[b]32; add r64,r64',
  'movsxd r64,[b]32; add r64,r64; cmp r64,r64 j3',
  'lea r64,[x]8; movzx r32,[b]8; movzx r32,[b]8; movzx r32,[b]16',
  'movzx r32,[b]8; movzx r32,[b]16; shr r64,r8=1; sub r32,r32',
  'mov r64,r64; movzx r32,[b]8; add r64,i64',
  'movzx r32,[b]8; add r64,i64; test [b]8,i8 j5',
  'cmovcc 3 r64,r64; add r64,r64; shl r64,i8; add r64,r64',
  'cmp r64,r64; mov r64,r64; cmovcc 3 r64,r64; add r64,r64',
  'mov r64,r64; add r64,r64; cmp r64,r64; mov r64,r64',
  'add r64,r64; add r64,r64; mov r64,r64; add r64,r64',
  'mov r32,r32; shr r64,i8; add r64,r64; add r64,r64',
  'imul2 r64,r64; mov r64,r64; mov r32,r32; shr r64,i8',
  'imul2 r64,r64; imul2 r64,r64; imul2 r64,r64; mov r64,r64',
  'imul2 r64,r64; mov r64,r64; imul2 r64,r64; imul2 r64,r64',
  'shr r64,i8; mov r64,r64; imul2 r64,r64; mov r64,r64',
  'mov r64,r64; mov r32,r32; shr r64,i8; mov r64,r64',
  'setcc 2 r8; shr r64,i8; movzx r32,r8',
  'add r64,r64; add r64,r64; add r32,i32; jcc 5 rel64',
  'sub r64,r64; mov r64,[x]64; mov r64,r64; mov r32,r32',
  'shr r64,i8; movzx r32,r8; add r64,r64; add r64,r64',
  'shl r64,i8; add r64,r64; cmp r64,r64',
];

/** Handlers of sequences: `table[row[first] * columns + column[second]]`, 0 where there is none. */
export interface PairTable {
  readonly row: Uint8Array;
  readonly column: Uint8Array;
  readonly columns: number;
  readonly table: Uint16Array;
  /** Number of records each handler covers. */
  readonly length: Uint8Array;
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

/**
 * Makes the handlers of sequences. One whose parts are not in the dispatcher (any more) is passed over: it costs speed only;
 * `missing` collects its text.
 */
export function makePairs(hot: readonly HandlerSpec[], missing: string[] = []): HandlerSpec[] {
  const byLabel = new Map<string, HandlerSpec>();
  for (const s of hot) if (s.variant.code64 !== false) byLabel.set(handlerLabel(s), s);
  const parts = (text: string): number => text.split('; ').length;
  return SEQUENCES.toSorted((a, b) => parts(a) - parts(b)).flatMap((text) => {
    const labels = text.split('; ');
    // an even split first: that is how the decoder meets them
    for (const cut of [labels.length >> 1, labels.length - (labels.length >> 1)]) {
      const first = byLabel.get(labels.slice(0, cut).join('; '));
      const second = byLabel.get(labels.slice(cut).join('; '));
      if (first === undefined || second === undefined) continue;
      const made: HandlerSpec = { ...first, key: `${first.key}; ${second.key}`, first, second };
      byLabel.set(text, made);
      return [made];
    }
    missing.push(text);
    return [];
  });
}

/** Number of instructions that a handler executes records of; a comparison and its branch count as two. */
function lengthOf(s: HandlerSpec): number {
  if (s.first !== undefined && s.second !== undefined) return lengthOf(s.first) + lengthOf(s.second);
  return s.fused >= 0 ? 2 : 1;
}

/** The table of sequences once all handlers are numbered. */
export function pairTable(handlers: readonly HandlerSpec[], count: number): PairTable {
  const pairs = handlers.filter((h) => h.first !== undefined);
  const length = new Uint8Array(count).fill(1);
  for (const h of handlers) length[h.id] = lengthOf(h);
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
  return { row, column, columns, table, length };
}

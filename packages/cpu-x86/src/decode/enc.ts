/** Attributes of an encoding row. */
export interface EncodingOptions {
  /** LOCK is allowed when the destination is memory. */
  readonly lock?: boolean;
  /** Operand size defaults to 64 bits in 64-bit mode (66 still gives 16): PUSH, POP, ENTER. */
  readonly d64?: boolean;
  /** Operand size is 64 bits in 64-bit mode whatever the prefixes: near branches. */
  readonly f64?: boolean;
  /** #UD in 64-bit mode, or only valid there. */
  readonly mode?: 'no64' | 'only64';
  /** The low four bits of the opcode are a condition code. */
  readonly cc?: boolean;
  /** F3/F2 choose variants of their own (`Variant.rep`). */
  readonly rep?: boolean;
  /** Depends on the address size (`Variant.addressSize`). */
  readonly asz?: boolean;
  /** Depends on the operand size although no operand letter says so (CBW, PUSHA, string instructions...). */
  readonly osz?: boolean;
  /** Separate code for 64-bit mode and the rest (`Variant.code64`). */
  readonly by64?: boolean;
  /** The instruction always transfers control or changes how code is decoded: decoding stops after it. */
  readonly end?: boolean;
  /** Not valid in real mode and VM86 (#UD there). */
  readonly protectedOnly?: boolean;
  /** CPUID feature (QEMU's name) that the instruction belongs to: without it in the model, the row does not exist. */
  readonly feature?: string;
}

/** One encoding: which bytes select it and what it means. */
export interface Encoding {
  /** Definition name. */
  readonly name: string;
  /** Mandatory prefix: none needed and 66/F3/F2 ignored (''), none allowed ('np'), or one of them. */
  readonly prefix: '' | 'np' | '66' | 'f3' | 'f2';
  /** Opcode map: 0 one byte, 1 0F, 2 0F38, 3 0F3A. */
  readonly map: 0 | 1 | 2 | 3;
  readonly opcode: number;
  /** Whether a ModRM byte follows. */
  readonly modrm: boolean;
  /** ModRM.reg extension, or -1. */
  readonly group: number;
  /** Which kinds of ModRM.mod this row covers. */
  readonly mod: 'any' | 'mem' | 'reg';
  /** Exact ModRM byte (0F 01 C1 and the like), or -1. */
  readonly exact: number;
  /** Operand letters, in order. */
  readonly operands: readonly string[];
  readonly options: EncodingOptions;
}

const ENCODINGS: Encoding[] = [];

/**
 * Adds rows. `pattern` is `[np|66|f3|f2] [0f|0f 38|0f 3a] OPCODE[-OPCODE] [/r|/0../7|XX] [mem|reg]`: `/r` a ModRM byte,
 * `/n` an extension in it, a second hex byte an exact ModRM value (`d9 e8`; a range `d8 c0-c7` gives one row with the low
 * three bits as operand `ST`), `mem`/`reg` restrict ModRM.mod. A range of opcodes takes one operand list each (separated by
 * spaces), or one for all. `+r` forms are written as ranges with operand `Z`.
 *
 * Operand letters: E r/m, G reg, M memory, R register form of r/m, Z register in the opcode, I immediate, J relative,
 * O absolute address, S segment register, C control, D debug, V xmm reg, W xmm r/m, U xmm register form of r/m, P mmx reg,
 * Q mmx r/m, N mmx register form, A far pointer; followed by a size: b w d q v (16/32/64) z (16/32, immediates sign-extended
 * to 64) y (32/64) dq (128) t (80) s (descriptor of 6 or 10 bytes) p (far pointer in memory) and x (none: address only).
 * `Ib` zero-extends to its own size, `Is` is a byte sign-extended to the operand size, `ST` the x87 register in ModRM.rm.
 * Fixed: AL CL AX DX rAX (by operand size) 1 ES CS SS DS FS GS ST0.
 *
 * Rows are matched most specific first (exact, group+mod, prefix); equal ones are an error when the tables are built.
 */
export function enc(pattern: string, name: string, operands = '', options: EncodingOptions = {}): void {
  for (const row of expand(pattern, name, operands, options)) ENCODINGS.push(row);
}

function expand(pattern: string, name: string, operands: string, options: EncodingOptions): Encoding[] {
  const words = pattern.split(' ');
  let prefix: Encoding['prefix'] = '';
  if (words[0] === 'np' || words[0] === 'f3' || words[0] === 'f2') prefix = words.shift() as 'np';
  else if (words[0] === '66' && words.length > 1 && words[1]!.startsWith('0f')) prefix = words.shift() as '66';
  let map: Encoding['map'] = 0;
  if (words[0] === '0f' && words.length > 1 && !words[1]!.startsWith('/')) {
    words.shift();
    map = 1;
    const next: string = words[0]!;
    if ((next === '38' || next === '3a') && words.length > 1 && /^[0-9a-f]/.test(words[1]!)) {
      words.shift();
      map = next === '38' ? 2 : 3;
    }
  }
  const [first, last] = words
    .shift()!
    .split('-')
    .map((x) => Number.parseInt(x, 16));
  let modrm = false;
  let group = -1;
  let mod: Encoding['mod'] = 'any';
  let exact: number[] = [-1];
  for (const w of words) {
    if (w === '/r') modrm = true;
    else if (/^\/[0-7]$/.test(w)) [modrm, group] = [true, Number(w[1])];
    else if (w === 'mem' || w === 'reg') mod = w;
    else if (/^[0-9a-f]{2}(-[0-9a-f]{2})?$/.test(w)) {
      const [a, b] = w.split('-').map((x) => Number.parseInt(x, 16));
      modrm = true;
      mod = 'reg';
      exact = Array.from({ length: (b ?? a!) - a! + 1 }, (_, i) => a! + i);
    } else throw new Error(`encoding '${pattern}': '${w}' is not understood`);
  }
  const lists = operands.split(' ');
  const rows: Encoding[] = [];
  for (let opcode = first!; opcode <= (last ?? first!); opcode++) {
    const list = lists.length > 1 ? lists[opcode - first!]! : lists[0]!;
    for (const e of exact) {
      rows.push({
        name,
        prefix,
        map,
        opcode,
        modrm,
        group,
        mod,
        exact: e,
        operands: list === '' ? [] : list.split(','),
        options,
      });
    }
  }
  return rows;
}

/** All rows added so far. */
export function encodings(): readonly Encoding[] {
  return ENCODINGS;
}

import { canFuse } from '../interp/flags.ts';
import { Handler } from '../interp/records.ts';
import { definition } from '../semantics/def.ts';
import type { Variant } from '../semantics/machine.ts';
import { type Bits, isMem, type MemForm, type Operand, type RegField, type RegFile } from '../semantics/operand.ts';
import { type Encoding, encodings } from './enc.ts';
import type { HandlerSpec } from './handler-spec.ts';
import { makePairs, type PairTable, pairTable } from './pairs.ts';

/** Forms of a variant. */
export const FORMS = 5;
/** Where a record field gets its register from, as `source | file << 2`. */
export const FieldSource = { none: 0, reg: 1, rm: 2, opcode: 3 } as const;
/** Register numbering of a record field. */
export const FieldFile = { gpr: 0, byte: 1, xmm: 2, mmx: 3, number: 4, sreg: 5 } as const;
/** Immediates of an encoding. `wide` is of the operand size, up to 64 bits. */
export const Imm = { none: 0, byte: 1, signed: 2, word: 3, z: 4, wide: 5, rel8: 6, relz: 7, moffs: 8, far: 9 } as const;

/** What the decoder does for one row. `variants` is the first of its variants; strides are 0 where a row does not depend. */
export interface RowPlan {
  readonly row: Encoding;
  variants: number;
  sizeStride: number;
  repStride: number;
  aszStride: number;
  longStride: number;
  /** Field sources when ModRM.rm is a register, and when it is memory. */
  regFields: [number, number];
  memFields: [number, number];
  imm: [number, number];
}

/** Everything derived from the encoding rows. */
export interface HandlerTables {
  readonly rows: readonly RowPlan[];
  /** Handler of variant * FORMS + form (0 register, 1 base, 2 index, 3 segment, 4 any). */
  readonly forms: Uint16Array;
  readonly handlers: readonly HandlerSpec[];
  /** First handler id that is a function of its own. */
  readonly hotEnd: number;
  readonly count: number;
  /** Fused handler of handler * 16 + condition, or 0. */
  readonly fuse: Uint16Array;
  /** Handlers of frequent pairs. */
  readonly pairs: PairTable;
}

const SIZES = [16, 32, 64] as const;
const ADDRESS_SIZES = [16, 32, 64] as const;
const REPS = ['', 'repe', 'repne'] as const;
/** Definitions whose flags a following Jcc may use at once. */
const FUSIBLE: ReadonlyMap<string, 'all' | 'registers'> = new Map([
  ['cmp', 'all'],
  ['test', 'all'],
  ['dec', 'all'],
  ['sub', 'registers'],
  ['and', 'registers'],
]);

function dependsOnSize(row: Encoding): boolean {
  return row.options.osz === true || row.operands.some((o) => /^(rAX|rDX|[A-Z](v|z|y|p|s))$/.test(o));
}

function bitsOf(text: string, size: 16 | 32 | 64, code64: boolean): Bits {
  switch (text) {
    case 'b':
    case 'x':
      return 8;
    case 'w':
      return 16;
    case 'd':
      return 32;
    case 'q':
      return 64;
    case 'v':
      return size;
    case 'z':
      return size;
    case 'y':
      return size === 64 ? 64 : 32;
    case 'dq':
      return 128;
    case 't':
      return 80;
    case 's':
      return code64 ? 80 : 48;
    case 'p':
      return size === 16 ? 32 : size === 32 ? 48 : 80;
    default:
      throw new Error(`operand size '${text}' is not known`);
  }
}

const FIXED: Readonly<Record<string, readonly [RegFile, number, Bits]>> = {
  AL: ['gpr', 0, 8],
  CL: ['gpr', 1, 8],
  AX: ['gpr', 0, 16],
  DX: ['gpr', 2, 16],
  EAX: ['gpr', 0, 32],
  ES: ['sreg', 0, 16],
  CS: ['sreg', 1, 16],
  SS: ['sreg', 2, 16],
  DS: ['sreg', 3, 16],
  FS: ['sreg', 4, 16],
  GS: ['sreg', 5, 16],
  ST0: ['st', 0, 80],
  XMM0: ['xmm', 0, 128],
};

const FILE_OF: Readonly<Record<string, RegFile>> = {
  E: 'gpr',
  G: 'gpr',
  R: 'gpr',
  Z: 'gpr',
  S: 'sreg',
  C: 'creg',
  D: 'dreg',
  V: 'xmm',
  W: 'xmm',
  U: 'xmm',
  P: 'mmx',
  Q: 'mmx',
  N: 'mmx',
};
const RM_LETTERS = new Set(['E', 'R', 'W', 'U', 'Q', 'N', 'M']);

function fieldFile(file: RegFile, bits: Bits): number {
  if (file === 'gpr') return bits === 8 ? FieldFile.byte : FieldFile.gpr;
  if (file === 'xmm') return FieldFile.xmm;
  if (file === 'mmx') return FieldFile.mmx;
  return file === 'sreg' ? FieldFile.sreg : FieldFile.number;
}

/** Operands of a row for one variant and form, and the record fields their registers come from. */
function shape(row: Encoding, size: 16 | 32 | 64, code64: boolean, form: MemForm | 'reg', plan: RowPlan): Operand[] {
  let field: RegField = 2;
  let immAt: 8 | 12 = 8;
  const fields: [number, number] = [0, 0];
  const takeField = (source: number, file: RegFile, bits: Bits): RegField => {
    const f = field;
    fields[f - 2] = source | (fieldFile(file, bits) << 2);
    field = 3;
    return f;
  };
  let immCount = 0;
  const imm = (kind: number): 8 | 12 => {
    plan.imm[immCount++] = kind;
    const at = immAt;
    immAt = 12;
    return at;
  };
  const operands = row.operands.map((text): Operand => {
    if (text === 'ST') return { kind: 'reg', file: 'st', bits: 80, field: takeField(FieldSource.rm, 'st', 80) };
    if (text === 'rAX' || text === 'rDX')
      return { kind: 'fixed', file: 'gpr', bits: size, reg: text === 'rAX' ? 0 : 2 };
    const fixed = FIXED[text];
    if (fixed !== undefined) return { kind: 'fixed', file: fixed[0], bits: fixed[2], reg: fixed[1] };
    if (text === '1') return { kind: 'const', bits: 8, value: 1 };
    const letter = text[0]!;
    const sizeText = text.slice(1);
    switch (letter) {
      case 'I':
        if (sizeText === 's') return { kind: 'imm', bits: size, wide: false, at: imm(Imm.signed) };
        if (sizeText === 'b') return { kind: 'imm', bits: 8, wide: false, at: imm(Imm.byte) };
        if (sizeText === 'w') return { kind: 'imm', bits: 16, wide: false, at: imm(Imm.word) };
        if (sizeText === 'v') return { kind: 'imm', bits: size, wide: size === 64, at: imm(Imm.wide) };
        return { kind: 'imm', bits: size, wide: false, at: imm(Imm.z) };
      case 'J':
        imm(sizeText === 'b' ? Imm.rel8 : Imm.relz);
        return { kind: 'rel', bits: size };
      case 'O':
        imm(Imm.moffs);
        return { kind: 'mem', bits: bitsOf(sizeText, size, code64), form: 'moffs' };
      case 'A':
        imm(Imm.far);
        return { kind: 'far', bits: size };
      default:
    }
    const bits = bitsOf(
      sizeText === '' ? (letter === 'S' ? 'w' : letter === 'C' || letter === 'D' ? 'q' : 'x') : sizeText,
      size,
      code64,
    );
    if (RM_LETTERS.has(letter) && form !== 'reg') return { kind: 'mem', bits, form };
    const file = FILE_OF[letter];
    if (file === undefined) throw new Error(`${row.name}: operand '${text}' is not known`);
    const source = letter === 'Z' ? FieldSource.opcode : RM_LETTERS.has(letter) ? FieldSource.rm : FieldSource.reg;
    return { kind: 'reg', file, bits, field: takeField(source, file, bits) };
  });
  if (form === 'reg') plan.regFields = fields;
  else plan.memFields = fields;
  return operands;
}

function operandKey(o: Operand): string {
  switch (o.kind) {
    case 'reg':
      return `${o.file}${o.bits}@${o.field}`;
    case 'fixed':
      return `${o.file}${o.bits}=${o.reg}`;
    case 'mem':
      return `m${o.bits}${o.form}`;
    case 'imm':
      return `i${o.bits}${o.wide ? 'w' : ''}@${o.at}`;
    case 'const':
      return `c${o.value}`;
    default:
      return `${o.kind}${o.bits}`;
  }
}

/** Whether a handler belongs in the dispatcher's function. */
function isHot(row: Encoding, variant: Variant, operands: readonly Operand[]): boolean {
  const { hot } = definition(row.name);
  if (!hot || variant.code64 === false) return false;
  if (hot === 'registers' && operands.some(isMem)) return false;
  if (variant.rep !== '' || variant.addressSize === 16 || variant.addressSize === 32) return false;
  // 16-bit operands are rare except as sources of extensions
  const extends16 = row.name === 'movzx' || row.name === 'movsx';
  return operands.every(
    (o) =>
      (o.kind !== 'mem' || (o.form !== 'any' && o.form !== 'moffs')) &&
      (o.bits !== 16 || (o.kind === 'mem' && extends16)),
  );
}

/** Expands all rows to variants and handlers, and numbers the handlers: special ones, hot ones, the rest. */
export function buildHandlers(): HandlerTables {
  const specs = new Map<string, HandlerSpec>();
  const rows: RowPlan[] = [];
  const forms: (HandlerSpec | undefined)[] = [];
  for (const row of encodings()) {
    const d = definition(row.name);
    const plan: RowPlan = {
      row,
      variants: forms.length / FORMS,
      sizeStride: 0,
      repStride: 0,
      aszStride: 0,
      longStride: 0,
      regFields: [0, 0],
      memFields: [0, 0],
      imm: [0, 0],
    };
    const bySize = dependsOnSize(row);
    const longs = row.options.by64
      ? row.options.mode === 'no64'
        ? [false]
        : row.options.mode === 'only64'
          ? [true]
          : [false, true]
      : [undefined];
    const sizes = bySize ? SIZES : ([32] as const);
    const reps = row.options.rep ? REPS : ([''] as const);
    const aszs = row.options.asz ? ADDRESS_SIZES : ([0] as const);
    const usesRm = row.operands.some((o) => o === 'ST' || (RM_LETTERS.has(o[0]!) && FIXED[o] === undefined));
    const allowReg = row.mod !== 'mem' && !row.operands.some((o) => o[0] === 'M');
    const allowMem =
      row.modrm && row.mod !== 'reg' && !row.operands.some((o) => ['R', 'U', 'N'].includes(o[0]!) || o === 'ST');
    plan.longStride = longs.length === 2 ? 1 : 0;
    plan.aszStride = aszs.length === 3 ? longs.length : 0;
    plan.repStride = reps.length === 3 ? longs.length * aszs.length : 0;
    plan.sizeStride = bySize ? longs.length * aszs.length * reps.length : 0;
    for (const size of sizes) {
      for (const rep of reps) {
        for (const addressSize of aszs) {
          for (const code64 of longs) {
            const variant: Variant = {
              size,
              addressSize,
              rep,
              cc: row.options.cc ? row.opcode & 15 : -1,
              code64,
              name: row.name,
            };
            const make = (form: MemForm | 'reg'): HandlerSpec => {
              const operands = shape(row, size, code64 === true || row.options.mode === 'only64', form, plan);
              const sized = bySize ? size : 0;
              const key = [
                row.name,
                variant.cc,
                sized,
                addressSize,
                rep,
                code64 ?? '',
                ...operands.map(operandKey),
              ].join(' ');
              let spec = specs.get(key);
              if (spec === undefined) {
                spec = {
                  id: -1,
                  key,
                  name: row.name,
                  variant,
                  operands,
                  hot: isHot(row, variant, operands),
                  fused: -1,
                };
                specs.set(key, spec);
              }
              return spec;
            };
            const any = allowMem && usesRm ? make('any') : undefined;
            const noOperand = !usesRm ? make('reg') : undefined;
            forms.push(
              noOperand ?? (allowReg ? make('reg') : undefined),
              noOperand ?? (any !== undefined && d.hot === true ? make('base') : any),
              noOperand ?? (any !== undefined && d.hot === true ? make('index') : any),
              noOperand ?? (any !== undefined && d.hotSegment ? make('segment') : any),
              noOperand ?? any,
            );
          }
        }
      }
    }
    rows.push(plan);
  }
  return number(rows, forms, [...specs.values()]);
}

function number(rows: RowPlan[], forms: (HandlerSpec | undefined)[], specs: HandlerSpec[]): HandlerTables {
  const hot = specs.filter((s) => s.hot);
  const fusedPairs: [HandlerSpec, HandlerSpec][] = [];
  for (const s of hot) {
    if (!FUSIBLE.has(s.name) || (FUSIBLE.get(s.name) === 'registers' && s.operands.some(isMem))) continue;
    for (let cc = 0; cc < 16; cc++) {
      if (canFuse(s.name, cc)) fusedPairs.push([s, { ...s, key: `${s.key} + j${cc}`, fused: cc }]);
    }
  }
  const fused = fusedPairs.map((p) => p[1]);
  const pairs = makePairs([...hot, ...fused]);
  const inline = [...hot, ...fused, ...pairs];
  const handlers = [...inline, ...specs.filter((s) => !s.hot)];
  handlers.forEach((s, i) => {
    s.id = Handler.first + i;
  });
  const count = Handler.first + handlers.length;
  const fuse = new Uint16Array(count * 16);
  for (const [s, f] of fusedPairs) fuse[s.id * 16 + f.fused] = f.id;
  const ids = Uint16Array.from(forms, (s) => s?.id ?? Handler.UNDEFINED);
  return {
    rows,
    forms: ids,
    handlers,
    hotEnd: Handler.first + inline.length,
    count,
    fuse,
    pairs: pairTable(handlers, count),
  };
}

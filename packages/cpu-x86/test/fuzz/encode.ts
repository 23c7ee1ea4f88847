import { type Encoding, encodings } from '../../src/decode/enc.ts';
import { handlerTables } from '../../src/index.ts';
import { definition } from '../../src/semantics/def.ts';
import type { Fix, Unit } from './program.ts';
import type { Random } from './random.ts';
import type { World } from './world.ts';

/** Definitions that a random program must not meet by chance: they end it, or take the machine apart. Generated in places of their own. */
const SPECIAL = new Set(
  (
    'jcc jmp jmp_indirect call call_indirect ret loopne loope loop jcxz leave enter mov_to_sreg pop_sreg les lds lss lfs lgs ' +
    'lldt ltr lgdt lidt jmp_far call_far retf iret int int1 syscall sysret sysenter sysexit popf mov_to_cr mov_to_dr lmsw ' +
    'wrmsr hlt swapgs cli invlpg push pop pusha popa std ' +
    'frstor fldenv fxrstor ldmxcsr fnsave fninit fldcw'
  ).split(' '),
);
/** Of those, what may still come now and then, for the faults and odd states it makes. */
const RARE = new Set(
  'lfs lgs ltr lidt lmsw wrmsr invlpg fldenv frstor fxrstor ldmxcsr fninit fldcw std push pop hlt'.split(' '),
);

/** Where programs may look for random instructions. */
interface Tables {
  readonly common: readonly (readonly Encoding[])[];
  readonly rare: readonly Encoding[];
  readonly integer: readonly (readonly Encoding[])[];
  /** What compilers use most, which has handlers for sequences. */
  readonly frequent: readonly (readonly Encoding[])[];
}
const tables = new Map<number, Tables>();

function tablesFor(bits: 16 | 32 | 64): Tables {
  let t = tables.get(bits);
  if (t !== undefined) return t;
  handlerTables();
  const byName = new Map<string, Encoding[]>();
  const rare: Encoding[] = [];
  for (const row of encodings()) {
    if (row.options.mode === (bits === 64 ? 'no64' : 'only64')) continue;
    if (RARE.has(row.name)) rare.push(row);
    if (SPECIAL.has(row.name)) continue;
    const list = byName.get(row.name) ?? [];
    list.push(row);
    byName.set(row.name, list);
  }
  const integer: Encoding[][] = [];
  for (const list of byName.values()) {
    const row = list[0]!;
    const vector =
      row.operands.some((o) => /^[VWUPQNX]|^ST|^Mt/.test(o)) ||
      (row.map === 0 && row.opcode >= 0xd8 && row.opcode <= 0xdf);
    if (
      !vector &&
      !/^(in|out|ins|outs|fence|prefetch|clflush|rd|cpuid|l[ad]r|lsl|ver|s[gil]dt|str|smsw)/.test(row.name)
    )
      integer.push(list);
  }
  const frequent = [...byName].filter(([name]) => definition(name).hot === true).map(([, list]) => list);
  t = { common: [...byName.values()], rare, integer, frequent };
  tables.set(bits, t);
  return t;
}

/** All rows that random programs are made of, in 64-bit or 32-bit mode; for measuring coverage. */
export function fuzzedRows(bits: 16 | 32 | 64): Encoding[] {
  return tablesFor(bits).common.flat();
}

/** Makes random instructions for a world. */
export class Encoder {
  readonly #random: Random;
  readonly #world: World;
  readonly #tables: Tables;
  /** Registers that instructions write. */
  readonly free: readonly number[];
  readonly pointers: readonly number[];

  constructor(random: Random, w: World) {
    this.#random = random;
    this.#world = w;
    this.#tables = tablesFor(w.bits);
    this.free = w.bits === 64 ? [0, 1, 2, 3, 8, 9, 10, 11] : w.bits === 32 ? [0, 1, 2, 3] : [0, 1, 2];
    this.pointers = w.bits === 64 ? [5, 6, 7, 12, 13] : w.bits === 32 ? [5, 6, 7] : [5, 6, 7, 3];
  }

  /** A random instruction of any kind. */
  instruction(): Unit {
    const r = this.#random;
    const { common, rare, integer, frequent } = this.#tables;
    const row = r.weighted<() => Encoding>([
      [5, () => r.pick(r.pick(frequent))],
      [5, () => r.pick(r.pick(integer))],
      [5, () => r.pick(r.pick(common))],
      [0.04, () => r.pick(rare)],
    ])();
    return this.encode(row);
  }

  /** A random instruction with one of the given names. */
  named(...names: string[]): Unit {
    const name = this.#random.pick(names);
    const rows = encodings().filter(
      (row) => row.name === name && row.options.mode !== (this.#world.bits === 64 ? 'no64' : 'only64'),
    );
    return rows.length === 0 ? { bytes: [0x90] } : this.encode(this.#random.pick(rows));
  }

  #register(destination: boolean): number {
    const r = this.#random;
    if (r.chance(destination ? 0.01 : 0.15)) return r.pick(this.pointers);
    if (r.chance(destination ? 0.002 : 0.02)) return 4;
    return r.pick(this.free);
  }

  /** Random bytes for a row. */
  encode(row: Encoding): Unit {
    const r = this.#random;
    const { bits } = this.#world;
    const is64 = bits === 64;
    const bytes: number[] = [];
    const fixes: Fix[] = [];
    const wide = row.options.osz === true || row.operands.some((o) => /^(rAX|rDX|[A-Z](v|z|y|p|s))$/.test(o));
    let rexW = false;
    let size = bits === 16 ? 16 : 32;
    const other = wide && row.prefix !== '66' && row.prefix !== 'np' && r.chance(bits === 16 ? 0.5 : 0.15);
    const canMem =
      row.modrm &&
      row.mod !== 'reg' &&
      row.exact < 0 &&
      !row.operands.some((o) => ('RUN'.includes(o[0]!) && !FIXED.has(o)) || o === 'ST');
    const canReg = row.mod !== 'mem' && !row.operands.some((o) => o[0] === 'M');
    const memory = canMem && (!canReg || r.chance(0.5));
    const moffs = row.operands.some((o) => o[0] === 'O');
    if (row.options.lock && memory && r.chance(0.3)) bytes.push(0xf0);
    else if (r.chance(0.001)) bytes.push(0xf0);
    if (row.options.rep && r.chance(0.5)) bytes.push(r.chance(0.5) ? 0xf3 : 0xf2);
    else if (row.prefix === '' && r.chance(0.005)) bytes.push(r.pick([0xf3, 0xf2]));
    if (memory && r.chance(0.04)) bytes.push(r.pick([0x64, 0x65, 0x64, 0x65, 0x26, 0x2e, 0x36, 0x3e]));
    const address67 = (memory || row.options.asz === true) && r.chance(bits === 16 ? 0.3 : 0.02);
    if (address67) bytes.push(0x67);
    if (other) {
      bytes.push(0x66);
      size = bits === 16 ? 32 : 16;
    }
    if (row.prefix === '66') bytes.push(0x66);
    if (row.prefix === 'f3') bytes.push(0xf3);
    if (row.prefix === 'f2') bytes.push(0xf2);
    let rex = 0;
    if (is64 && (wide ? r.chance(0.45) : r.chance(0.03))) {
      rexW = true;
      rex |= 0x48;
    }
    if (rexW || (is64 && (row.options.f64 || (row.options.d64 && !other)))) size = 64;
    // registers: which of ModRM.reg, ModRM.rm and the opcode are destinations
    const dest = (letter: string): boolean =>
      row.operands.findIndex((o) => o[0] === letter && !FIXED.has(o)) === 0 || /^(xchg|xadd)$/.test(row.name);
    const vector = (letter: string): boolean =>
      row.operands.some((o) => letter.includes(o[0]!) && 'VWUPQNST'.includes(o[0]!) && !FIXED.has(o));
    let reg =
      row.group >= 0
        ? row.group
        : vector('VP')
          ? r.int(is64 ? 16 : 8)
          : row.operands.some((o) => o[0] === 'S' && o.length > 1 && o !== 'ST')
            ? r.int(6)
            : this.#register(dest('G'));
    if (row.operands.some((o) => /^[CD]q$/.test(o)))
      reg = r.pick([0, 2, 3, 4, 8, 6, 7]) & (row.operands.some((o) => o[0] === 'D') ? 7 : 15);
    // the byte registers 4 to 7 are AH to BH without a prefix
    const byteReg = (n: number, operand: string): number =>
      row.operands.includes(operand) && n < 4 && r.chance(0.3) ? n + 4 : n;
    reg = row.group >= 0 ? reg : byteReg(reg, 'Gb');
    const tail: number[] = [];
    let modrm = -1;
    if (row.exact >= 0) modrm = row.exact;
    else if (row.modrm && !memory) {
      let rm =
        vector('WUQN') || row.operands.includes('ST') ? r.int(is64 ? 16 : 8) : this.#register(dest('E') || dest('R'));
      rm = byteReg(rm, 'Eb');
      if (!is64) rm &= 7;
      if (rm & 8) rex |= 0x41;
      modrm = 0xc0 | (rm & 7);
      if (is64 && row.operands.includes('Eb') && rm >= 4 && rm < 8 && r.chance(0.2)) rex |= 0x40;
    } else if (row.modrm) {
      modrm = this.#memory(tail, fixes, address67, (x) => {
        rex |= x;
      });
    }
    if (modrm >= 0 && row.exact < 0) {
      if (!is64) reg &= 7;
      if (reg & 8) rex |= 0x44;
      modrm |= (reg & 7) << 3;
    }
    let opcode = row.opcode;
    if (row.operands.some((o) => o[0] === 'Z')) {
      // ranges are expanded to one row for each opcode; the row's low bits are a register that must not be a pointer
      const low = opcode & 7;
      if (!this.free.includes(low) && !r.chance(0.02))
        opcode = (opcode & ~7) | (this.free.filter((n) => n < 8)[low & 3] ?? 0);
      if (opcode === 0x90 && row.map === 0) opcode = 0x91;
      if (is64 && r.chance(0.3)) rex |= 0x41;
    }
    if (is64 && rex === 0 && r.chance(0.03)) rex = 0x40;
    if (rex !== 0) bytes.push(0x40 | rex);
    if (row.map > 0) bytes.push(0x0f);
    if (row.map > 1) bytes.push(row.map === 2 ? 0x38 : 0x3a);
    bytes.push(opcode);
    const after = bytes.length + (modrm >= 0 ? 1 : 0);
    if (modrm >= 0) bytes.push(modrm);
    bytes.push(...tail);
    for (const o of row.operands) this.#immediate(bytes, o, size, moffs, address67);
    return { bytes, ...(fixes.length === 0 ? {} : { fixes: fixes.map((f) => ({ ...f, at: f.at + after })) }) };
  }

  /** Bytes after ModRM of a memory operand, and ModRM without its register; the address is in the data area as a rule. */
  #memory(tail: number[], fixes: Fix[], address67: boolean, rex: (bits: number) => void): number {
    const r = this.#random;
    const w = this.#world;
    if (w.bits === 16 ? !address67 : w.bits === 32 && address67) {
      if (w.bits !== 16 || r.chance(0.3)) {
        const rm = r.int(8);
        const mod = r.int(3);
        if (mod === 1) tail.push(r.int(256));
        else if (mod === 2 || rm === 6) tail.push(...little(w.data + r.int(0x2000), 2));
        return (mod << 6) | rm;
      }
      // [bx|si|di|bp + small]
      tail.push(r.int(32));
      return 0x40 | r.pick([4, 5, 7, 6, 7]);
    }
    if (r.chance(0.08)) {
      const address = w.data + r.pick([0x400, 0x1000, 0x1000, 0x2000, 0x3000, 0x4000, 0x8000]) + r.int(0x400);
      if (w.bits === 64 && !address67) {
        // RIP-relative, or absolute by SIB
        const relative = r.chance(0.7);
        if (!relative) tail.push(0x25);
        fixes.push({ at: tail.length, bytes: 4, address, relative });
        tail.push(0, 0, 0, 0);
        return relative ? 5 : 4;
      }
      tail.push(...little(address, 4));
      return 5;
    }
    const base = r.chance(0.96) ? r.pick(this.pointers) : r.chance(0.3) ? 4 : r.pick(this.free);
    if (base & 8) rex(0x41);
    const sib = (base & 7) === 4 || r.chance(0.15);
    const low = base & 7;
    const displacement = r.weighted<() => number>([
      [3, () => 0],
      [4, () => (r.int(16) - 8) * 16],
      [3, () => r.int(256) - 128],
      [1.5, () => (r.int(5) - 2) * 0x1000 + r.int(64)],
      [0.5, () => r.int(0x2000) - 0x1000],
    ])();
    const mod = displacement === 0 && low !== 5 ? 0 : displacement >= -128 && displacement < 128 ? 1 : 2;
    if (sib) {
      // without an index mostly, as other registers hold anything
      const index = r.chance(0.6) ? 4 : r.pick(this.free);
      if (index & 8) rex(0x42);
      tail.push((r.int(4) << 6) | ((index & 7) << 3) | low);
    }
    if (mod === 1) tail.push(displacement & 255);
    else if (mod === 2) tail.push(...little(displacement, 4));
    return (mod << 6) | (sib ? 4 : low);
  }

  #immediate(bytes: number[], operand: string, size: number, moffs: boolean, address67: boolean): void {
    const r = this.#random;
    const w = this.#world;
    const value = r.u64();
    const put = (n: number): void => void bytes.push(...little(Number(BigInt.asUintN(32, value)), Math.min(n, 4)));
    if (FIXED.has(operand)) return;
    switch (operand[0]) {
      case 'I':
        if (operand === 'Ib' || operand === 'Is') put(1);
        else if (operand === 'Iw') put(2);
        else if (operand === 'Iv' && size === 64) {
          put(4);
          bytes.push(...little(Number(value >> 32n), 4));
        } else put(size === 16 ? 2 : 4);
        break;
      case 'O': {
        if (!moffs) break;
        const n = w.bits === 64 ? (address67 ? 4 : 8) : (w.bits === 16) !== address67 ? 2 : 4;
        bytes.push(...little(w.data + 0x1000 + r.int(0x1000), Math.min(n, 4)));
        if (n === 8) bytes.push(0, 0, 0, 0);
        break;
      }
      case 'A':
        put(4);
        put(2);
        break;
      case 'J':
        put(operand === 'Jb' ? 1 : size === 16 ? 2 : 4);
        break;
      default:
    }
  }
}

const FIXED = new Set([
  'AL',
  'CL',
  'AX',
  'DX',
  'EAX',
  'rAX',
  'rDX',
  '1',
  'ES',
  'CS',
  'SS',
  'DS',
  'FS',
  'GS',
  'ST0',
  'XMM0',
]);

/** Little-endian bytes of a number. */
export function little(value: number, n: number): number[] {
  return Array.from({ length: n }, (_, i) => Math.floor(value / 2 ** (8 * i)) & 255);
}

import type { Val } from '@sterna/wasm';
import { enc } from '../decode/enc.ts';
import { f32to80, f64to80, int64to80 } from '../fpu/ext-convert.ts';
import { bcdTo80 } from '../fpu/ext-scale.ts';
import { type F80, multi80 } from '../fpu/util.ts';
import {
  arithMem,
  compareReg,
  compareWith,
  examine,
  extract,
  remainder,
  scale,
  Unary,
  unary,
} from '../fpu/x87-arith.ts';
import {
  DOUBLE_ARITH,
  LOAD_DOUBLE,
  LOAD_SINGLE,
  REGISTER_ARITH,
  SINGLE_ARITH,
  STORE_DOUBLE,
  STORE_SINGLE,
} from '../fpu/x87-fast.ts';
import { Angle, angle, Function2, f2xm1, function2 } from '../fpu/x87-functions.ts';
import { fldRegister, fstRegister, fxch } from '../fpu/x87-moves.ts';
import { phys, popStack, Sw, setCodes } from '../fpu/x87-stack.ts';
import { moveIf, push80, pushConstant, Store, storeValue } from '../fpu/x87-transfer.ts';
import { def } from './def.ts';
import { checkX87, trackX87 } from './fp-check.ts';
import type { Machine } from './machine.ts';
import type { Micro } from './micro.ts';
import type { Operand } from './operand.ts';
import { Flag } from './vectors.ts';

/** Defines a waiting instruction that keeps the instruction and data pointers. */
function x87(name: string, body: (m: Machine, op: Operand) => void): void {
  def(name, (m, op) => {
    checkX87(m);
    body(m, op!);
  });
}

/** Calls microcode without a result. */
function call(m: Machine, fn: Micro, ...args: Val[]): void {
  m.do(m.functionOf(fn), ...args);
}

/** Value of a memory operand of an arithmetic instruction; exceptions of the conversion go to fpExc. */
type Source = (m: Machine, op: Operand) => F80;
const bits64 = (m: Machine, op: Operand): Val<'i64'> => {
  const v = m.read(op);
  return v.type === 'i64' ? (v as Val<'i64'>) : m.extU(v as Val<'i32'>);
};
const single: Source = (m, op) => multi80(m, f32to80, m.extU(m.read(op) as Val<'i32'>));
const double: Source = (m, op) => multi80(m, f64to80, m.read(op));
const short: Source = (m, op) => multi80(m, int64to80, m.extS(m.ext16(m.read(op) as Val<'i32'>)));
const long: Source = (m, op) => multi80(m, int64to80, m.extS(m.read(op) as Val<'i32'>));

// Arithmetic: ModRM.reg names the operation in every form

const NAMES = ['fadd', 'fmul', 'fcom', 'fcomp', 'fsub', 'fsubr', 'fdiv', 'fdivr'];
for (const [opcode, suffix, source, letters, fast] of [
  ['d8', 'm32', single, 'Md', SINGLE_ARITH],
  ['dc', 'm64', double, 'Mq', DOUBLE_ARITH],
  ['da', 'm32int', long, 'Md', undefined],
  ['de', 'm16int', short, 'Mw', undefined],
] as const) {
  NAMES.forEach((name, g) => {
    x87(`${name}_${suffix}`, (m, op) => {
      const usual = fast?.[g];
      if (usual !== undefined) {
        const bits = m.let(bits64(m, op));
        trackX87(m, op);
        call(m, usual, bits);
        return;
      }
      const v = source(m, op);
      trackX87(m, op);
      if (g !== 2 && g !== 3) call(m, arithMem, m.i32(g), v.mant, v.se);
      else {
        const pops = m.i32(g - 2);
        compared(m, m.invoke<'i32'>(compareWith, v.mant, v.se, m.i32(1), m.i32(0), pops));
      }
    });
    enc(`${opcode} /${g} mem`, `${name}_${suffix}`, letters);
  });
}
NAMES.forEach((name, g) => {
  if (g === 2 || g === 3) return;
  const bytes = (base: number): string => `${(base + g * 8).toString(16)}-${(base + g * 8 + 7).toString(16)}`;
  for (const [opcode, suffix, toTop, pops] of [
    ['d8', 'st0', true, 0],
    ['dc', 'sti', false, 0],
    ['de', 'p', false, 1],
  ] as const) {
    x87(`${name}_${suffix}`, (m, op) => {
      trackX87(m);
      const i = m.regNumber(op);
      call(m, REGISTER_ARITH[g]!, i, toTop ? m.i32(0) : i, m.i32(pops));
    });
    enc(`${opcode} ${bytes(0xc0)}`, `${name}_${suffix}`, 'ST');
  }
});

// Comparisons

/** Statement: sets C0, C2 and C3. */
function compared(m: Machine, codes: Val<'i32'>): void {
  setCodes(m, m.let(codes));
}
for (const [name, quiet, pops, patterns] of [
  ['fcom', 0, 0, ['d8 d0-d7', 'dc d0-d7']],
  ['fcomp', 0, 1, ['d8 d8-df', 'dc d8-df', 'de d0-d7']],
  ['fcompp', 0, 2, ['de d9']],
  ['fucom', 1, 0, ['dd e0-e7']],
  ['fucomp', 1, 1, ['dd e8-ef']],
  ['fucompp', 1, 2, ['da e9']],
] as const) {
  x87(name, (m, op) => {
    trackX87(m);
    const i = pops === 2 ? m.i32(1) : m.regNumber(op);
    compared(m, m.invoke<'i32'>(compareReg, i, m.i32(quiet), m.i32(pops)));
  });
  for (const p of patterns) enc(p, name, pops === 2 ? '' : 'ST');
}
for (const [name, quiet, pops, pattern] of [
  ['fucomi', 1, 0, 'db e8-ef'],
  ['fcomi', 0, 0, 'db f0-f7'],
  ['fucomip', 1, 1, 'df e8-ef'],
  ['fcomip', 0, 1, 'df f0-f7'],
] as const) {
  x87(name, (m, op) => {
    trackX87(m);
    const codes = m.let(m.invoke<'i32'>(compareReg, m.regNumber(op), m.i32(quiet), m.i32(pops)));
    // C3, C2, C0 are ZF, PF, CF eight bits up
    m.setArithFlags(m.shrU(codes, 8));
  });
  enc(pattern, name, 'ST');
}
x87('ftst', (m) => {
  trackX87(m);
  compared(m, m.invoke<'i32'>(compareWith, m.i64(0), m.i32(0), m.i32(1), m.i32(0), m.i32(0)));
});
enc('d9 e4', 'ftst');
x87('fxam', (m) => {
  trackX87(m);
  call(m, examine);
});
enc('d9 e5', 'fxam');

// One operand on the stack

for (const [name, pattern, fn, arg] of [
  ['fchs', 'd9 e0', unary, Unary.CHS],
  ['fabs', 'd9 e1', unary, Unary.ABS],
  ['fsqrt', 'd9 fa', unary, Unary.SQRT],
  ['frndint', 'd9 fc', unary, Unary.RNDINT],
  ['fprem', 'd9 f8', remainder, 0],
  ['fprem1', 'd9 f5', remainder, 1],
  ['fscale', 'd9 fd', scale, -1],
  ['fxtract', 'd9 f4', extract, -1],
  ['f2xm1', 'd9 f0', f2xm1, -1],
  ['fyl2x', 'd9 f1', function2, Function2.YL2X],
  ['fptan', 'd9 f2', angle, Angle.TAN],
  ['fpatan', 'd9 f3', function2, Function2.PATAN],
  ['fyl2xp1', 'd9 f9', function2, Function2.YL2XP1],
  ['fsincos', 'd9 fb', angle, Angle.SINCOS],
  ['fsin', 'd9 fe', angle, Angle.SIN],
  ['fcos', 'd9 ff', angle, Angle.COS],
] as const) {
  x87(name, (m) => {
    trackX87(m);
    if (arg < 0) call(m, fn);
    else call(m, fn, m.i32(arg));
  });
  enc(pattern, name);
}
['fld1', 'fldl2t', 'fldl2e', 'fldpi', 'fldlg2', 'fldln2', 'fldz'].forEach((name, i) => {
  x87(name, (m) => {
    trackX87(m);
    call(m, pushConstant, m.i32(i));
  });
  enc(`d9 e${(8 + i).toString(16)}`, name);
});

// Loads

x87('fld_m32', (m, op) => {
  const v = m.read(op) as Val<'i32'>;
  trackX87(m, op);
  call(m, LOAD_SINGLE, m.extU(v));
});
enc('d9 /0 mem', 'fld_m32', 'Md');
x87('fld_m64', (m, op) => {
  const v = m.read(op);
  trackX87(m, op);
  call(m, LOAD_DOUBLE, v);
});
enc('dd /0 mem', 'fld_m64', 'Mq');
for (const [name, pattern, letters, source] of [
  ['fild_m16', 'df /0 mem', 'Mw', short],
  ['fild_m32', 'db /0 mem', 'Md', long],
  ['fild_m64', 'df /5 mem', 'Mq', (m: Machine, op: Operand): F80 => multi80(m, int64to80, m.read(op))],
  ['fld_m80', 'db /5 mem', 'Mt', load80],
  [
    'fbld',
    'df /4 mem',
    'Mt',
    (m: Machine, op: Operand): F80 => {
      const v = load80(m, op);
      return multi80(m, bcdTo80, v.mant, v.se);
    },
  ],
] as const) {
  x87(name, (m, op) => {
    const v = source(m, op);
    trackX87(m, op);
    call(m, push80, v.mant, v.se);
  });
  enc(pattern, name, letters);
}
function load80(m: Machine, op: Operand): F80 {
  const a = m.linear(op, 10);
  const mant = m.loadLinear(a, 64);
  return { mant, se: m.loadLinear(m.add(a, 8), 16) };
}
x87('fld_st', (m, op) => {
  trackX87(m);
  fldRegister(m, m.regNumber(op));
});
enc('d9 c0-c7', 'fld_st', 'ST');

// Stores

for (const [name, pattern, kind, pops, letters, bits] of [
  ['fst_m32', 'd9 /2 mem', Store.F32, 0, 'Md', 32],
  ['fstp_m32', 'd9 /3 mem', Store.F32, 1, 'Md', 32],
  ['fst_m64', 'dd /2 mem', Store.F64, 0, 'Mq', 64],
  ['fstp_m64', 'dd /3 mem', Store.F64, 1, 'Mq', 64],
  ['fist_m16', 'df /2 mem', Store.I16, 0, 'Mw', 16],
  ['fistp_m16', 'df /3 mem', Store.I16, 1, 'Mw', 16],
  ['fist_m32', 'db /2 mem', Store.I32, 0, 'Md', 32],
  ['fistp_m32', 'db /3 mem', Store.I32, 1, 'Md', 32],
  ['fistp_m64', 'df /7 mem', Store.I64, 1, 'Mq', 64],
  ['fisttp_m16', 'df /1 mem', Store.I16T, 1, 'Mw', 16],
  ['fisttp_m32', 'db /1 mem', Store.I32T, 1, 'Md', 32],
  ['fisttp_m64', 'dd /1 mem', Store.I64T, 1, 'Mq', 64],
  ['fbstp', 'df /6 mem', Store.BCD, 1, 'Mt', 80],
  ['fstp_m80', 'db /7 mem', Store.F80, 1, 'Mt', 80],
] as const) {
  x87(name, (m, op) => {
    const a = m.linear(op, bits / 8, true);
    m.probeWrite(a, bits / 8);
    trackX87(m, op);
    const stored =
      kind === Store.F64
        ? m.invoke<'i32'>(STORE_DOUBLE, m.i32(pops))
        : kind === Store.F32
          ? m.invoke<'i32'>(STORE_SINGLE, m.i32(pops))
          : m.invoke<'i32'>(storeValue, m.i32(kind), m.i32(pops));
    m.if(stored, () => {
      const v = m.let(m.get('temp', 0));
      if (bits >= 64) {
        const high = m.let(m.wrap(m.get('temp', 1)));
        m.storeLinear(a, 64, v);
        if (bits === 80) m.storeLinear(m.add(a, 8), 16, high);
      } else m.storeLinear(a, bits, m.wrap(v));
    });
  });
  enc(pattern, name, letters);
}
for (const [name, pops, patterns] of [
  ['fst_st', 0, ['dd d0-d7']],
  ['fstp_st', 1, ['dd d8-df', 'd9 d8-df', 'df d0-d7', 'df d8-df']],
] as const) {
  x87(name, (m, op) => {
    trackX87(m);
    fstRegister(m, m.regNumber(op), pops);
  });
  for (const p of patterns) enc(p, name, 'ST');
}
x87('fxch', (m, op) => {
  trackX87(m);
  fxch(m, m.regNumber(op));
});
for (const p of ['d9 c8-cf', 'dd c8-cf', 'df c8-cf']) enc(p, 'fxch', 'ST');

// Conditional moves: CF, ZF, CF|ZF, PF and their opposites

[Flag.CF, Flag.ZF, Flag.CF | Flag.ZF, Flag.PF].forEach((mask, k) => {
  for (const negated of [false, true]) {
    const name = `fcmov${negated ? 'n' : ''}${['b', 'e', 'be', 'u'][k]}`;
    x87(name, (m, op) => {
      trackX87(m);
      const set = m.ne(m.and(m.arithFlags(), mask), 0);
      call(m, moveIf, m.regNumber(op), negated ? m.eqz(set) : set);
    });
    const base = 0xc0 + 8 * k;
    enc(`${negated ? 'db' : 'da'} ${base.toString(16)}-${(base + 7).toString(16)}`, name, 'ST');
  }
});

// Tags and TOP

for (const [name, pops, pattern] of [
  ['ffree', false, 'dd c0-c7'],
  ['ffreep', true, 'df c0-c7'],
] as const) {
  x87(name, (m, op) => {
    trackX87(m);
    const bit = m.shl(m.i32(1), phys(m, m.regNumber(op)));
    m.put('fpuTags', m.and(m.get('fpuTags'), m.not(bit)));
    if (pops) call(m, popStack, m.i32(1));
  });
  enc(pattern, name, 'ST');
}
for (const [name, step, pattern] of [
  ['fdecstp', 7, 'd9 f6'],
  ['fincstp', 1, 'd9 f7'],
] as const) {
  x87(name, (m) => {
    trackX87(m);
    m.put('fpuTop', phys(m, step));
    m.put('fpuSw', m.and(m.get('fpuSw'), ~Sw.C1));
  });
  enc(pattern, name);
}
x87('fnop', (m) => trackX87(m));
enc('d9 d0', 'fnop');

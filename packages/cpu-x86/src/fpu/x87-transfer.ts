import type { Val } from '@sterna/wasm';
import type { Machine } from '../semantics/machine.ts';
import { type Micro, micro } from '../semantics/micro.ts';
import { Class, class80, INDEFINITE, QUIET_BIT } from './ext-class.ts';
import { f32to80, f64to80, f80to32, f80to64, f80toInt } from './ext-convert.ts';
import { f80toBcd } from './ext-scale.ts';
import { FpFlag, raise } from './round.ts';
import { type F80, multi, multi80 } from './util.ts';
import {
  controlAsMxcsr,
  indefinite,
  overflow,
  phys,
  popStack,
  reg,
  rounding,
  setReg,
  settled,
  underflow,
  used,
} from './x87-stack.ts';

type I = Val<'i32'>;
type L = Val<'i64'>;

/** Statement: pushes a value; fpExc may already hold the source's exceptions. Ends the path. */
function pushValue(m: Machine, v: F80): void {
  const p = m.let(phys(m, 7));
  m.if(used(m, p), () => {
    m.put('fpExc', 0);
    overflow(m);
    m.if(settled(m), () => m.return());
    setReg(m, p, indefinite(m));
    m.put('fpuTop', p);
    m.return();
  });
  // a denormal is pushed even when DE is unmasked
  m.if(m.and(settled(m), ~FpFlag.DE), () => m.return());
  setReg(m, p, v);
  m.put('fpuTop', p);
}

/** `(mant, se)`: pushes as it is (FLD m80, FILD, FBLD, FLD1...). */
export const push80: Micro = micro('x87_push', ['i64', 'i32'], [], (m) => {
  pushValue(m, { mant: m.param('i64', 0), se: m.param('i32', 1) });
});

const pushSmall = (name: string, widen: Micro): Micro =>
  micro(name, ['i64'], [], (m) => {
    const v = multi80(m, widen, m.param('i64', 0));
    m.if(m.eq(m.invoke<'i32'>(class80, v.mant, v.se), Class.SNAN), () => {
      raise(m, FpFlag.IE);
      m.set(v.mant, m.or(v.mant, QUIET_BIT));
    });
    pushValue(m, v);
  });
/** `(bits)`: FLD m32. */
export const push32: Micro = pushSmall('x87_push32', f32to80);
/** `(bits)`: FLD m64. */
export const push64: Micro = pushSmall('x87_push64', f64to80);

/** `(i)`: FLD ST(i). */
export const pushReg: Micro = micro('x87_push_st', ['i32'], [], (m) => {
  const p = m.let(phys(m, m.param('i32', 0)));
  const v = reg(m, p);
  m.if(m.and(m.eqz(used(m, p)), m.eqz(used(m, phys(m, 7)))), () => {
    underflow(m);
    m.if(settled(m), () => m.return());
    const top = m.let(phys(m, 7));
    setReg(m, top, indefinite(m));
    m.put('fpuTop', top);
    m.return();
  });
  pushValue(m, v);
});

/** `(i, pops)`: FST ST(i), FSTP ST(i). */
export const storeReg: Micro = micro('x87_store_st', ['i32', 'i32'], [], (m) => {
  const pa = m.let(phys(m, 0));
  const v = reg(m, pa);
  m.if(m.eqz(used(m, pa)), () => {
    underflow(m);
    m.set(v.mant, m.i64(INDEFINITE.mant));
    m.set(v.se, m.i32(INDEFINITE.se));
  });
  m.if(settled(m), () => m.return());
  setReg(m, physOf(m, 0), v);
  m.do(m.functionOf(popStack), m.param('i32', 1));
});

function physOf(m: Machine, param: number): I {
  return m.let(phys(m, m.param('i32', param)));
}

/** `(i)`: FXCH. */
export const exchange: Micro = micro('x87_exchange', ['i32'], [], (m) => {
  const pa = m.let(phys(m, 0));
  const pb = physOf(m, 0);
  const a = reg(m, pa);
  const b = reg(m, pb);
  for (const [p, v] of [
    [pa, a],
    [pb, b],
  ] as const) {
    m.if(m.eqz(used(m, p)), () => {
      underflow(m);
      m.set(v.mant, m.i64(INDEFINITE.mant));
      m.set(v.se, m.i32(INDEFINITE.se));
    });
  }
  m.if(settled(m), () => m.return());
  setReg(m, pa, b);
  setReg(m, pb, a);
});

/** `(i, condition)`: FCMOVcc. */
export const moveIf: Micro = micro('x87_cmov', ['i32', 'i32'], [], (m) => {
  const pa = m.let(phys(m, 0));
  const pb = physOf(m, 0);
  m.if(m.eqz(m.and(used(m, pa), used(m, pb))), () => {
    underflow(m);
    m.if(settled(m), () => m.return());
    setReg(m, pa, indefinite(m));
    m.return();
  });
  m.drop(settled(m));
  m.if(m.param('i32', 1), () => setReg(m, pa, reg(m, pb)));
});

/** Destination formats of {@link storeValue}. */
export const Store = { F32: 0, F64: 1, I16: 2, I32: 3, I64: 4, I16T: 5, I32T: 6, I64T: 7, BCD: 8, F80: 9 } as const;

/**
 * `(Store, pops) -> store`: converts ST(0) for memory; the value is left in temp[0] (and temp[1] bits 0-15). The result is 0
 * when an unmasked exception withholds the store. The destination must have been probed: the stack is popped here.
 */
export const storeValue: Micro = micro('x87_store', ['i32', 'i32'], ['i32'], (m) => {
  const [kind, pops] = [m.param('i32', 0), m.param('i32', 1)];
  const p = m.let(phys(m, 0));
  const v = reg(m, p);
  const bits = m.local('i64');
  const high = m.local('i32');
  const toInt = (width: number, chop: boolean) => (): void =>
    m.set(bits, m.invoke<'i64'>(f80toInt, v.mant, v.se, chop ? m.i32(3) : rounding(m), m.i32(width)));
  m.if(
    used(m, p),
    () =>
      m.switch(kind, [
        () => m.set(bits, m.invoke<'i64'>(f80to32, v.mant, v.se, controlAsMxcsr(m))),
        () => m.set(bits, m.invoke<'i64'>(f80to64, v.mant, v.se, controlAsMxcsr(m))),
        toInt(16, false),
        toInt(32, false),
        toInt(64, false),
        toInt(16, true),
        toInt(32, true),
        toInt(64, true),
        () => {
          const [lo, hi] = multi(m, f80toBcd, v.mant, v.se, rounding(m)) as [L, I];
          m.set(bits, lo);
          m.set(high, hi);
        },
        () => {
          m.set(bits, v.mant);
          m.set(high, v.se);
        },
      ]),
    () => {
      underflow(m);
      const value =
        (lo: bigint, hi = 0) =>
        (): void => {
          m.set(bits, m.i64(lo));
          m.set(high, m.i32(hi));
        };
      const ints = [value(-0x8000n), value(-0x8000_0000n), value(-(1n << 63n))];
      const packed = value(INDEFINITE.mant, INDEFINITE.se);
      m.switch(kind, [value(0xffc0_0000n), value(0xfff8n << 48n), ...ints, ...ints, packed, packed]);
    },
  );
  m.if(settled(m, true), () => m.return(m.i32(0)));
  m.put('temp', bits, 0);
  m.put('temp', m.extU(high), 1);
  m.do(m.functionOf(popStack), pops);
  m.return(m.i32(1));
});

/**
 * Constants of D9 E8-EE: mantissa of the nearest value, exponent, and its side: 1 when it is below the true value (so that
 * rounding up gives the next), -1 when it is above it (rounding down or toward zero gives the one before), 0 exact.
 */
const CONSTANTS: readonly (readonly [mant: bigint, se: number, side: -1 | 0 | 1])[] = [
  [0x8000_0000_0000_0000n, 0x3fff, 0],
  [0xd49a_784b_cd1b_8afen, 0x4000, 1],
  [0xb8aa_3b29_5c17_f0bcn, 0x3fff, -1],
  [0xc90f_daa2_2168_c235n, 0x4000, -1],
  [0x9a20_9a84_fbcf_f799n, 0x3ffd, -1],
  [0xb172_17f7_d1cf_79acn, 0x3ffe, -1],
  [0n, 0, 0],
];

/** `(0-6)`: FLD1 FLDL2T FLDL2E FLDPI FLDLG2 FLDLN2 FLDZ, rounded as the control word says. */
export const pushConstant: Micro = micro('x87_constant', ['i32'], [], (m) => {
  const mant = m.local('i64');
  const se = m.local('i32');
  const rc = m.let(rounding(m));
  m.switch(
    m.param('i32', 0),
    CONSTANTS.map(([bits, exp, side]) => () => {
      m.set(mant, m.i64(bits));
      m.set(se, m.i32(exp));
      if (side > 0) m.set(mant, m.add(mant, m.extU(m.eq(rc, 2))));
      if (side < 0) m.set(mant, m.sub(mant, m.extU(m.and(rc, 1))));
    }),
  );
  pushValue(m, { mant, se });
});

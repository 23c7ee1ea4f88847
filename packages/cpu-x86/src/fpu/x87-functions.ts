import type { Val } from '@sterna/wasm';
import { type Micro, micro } from '../semantics/micro.ts';
import { Calc } from './calc.ts';
import { atan2, classOf, exp2m1, finish, quiet, working, ylog2x, ylog2xp1 } from './elementary.ts';
import { add80, mul80 } from './ext-arith.ts';
import { BIAS, Class } from './ext-class.ts';
import { cosKernel, reduceAngle, sinKernel } from './kernels.ts';
import { FpFlag, raise } from './round.ts';
import { type F80, multi, multi80 } from './util.ts';
import { TOP_BIT } from './wide.ts';
import {
  indefinite,
  overflow,
  phys,
  popStack,
  reg,
  Sw,
  setCodes,
  setReg,
  settled,
  underflow,
  used,
} from './x87-stack.ts';

type I = Val<'i32'>;
type L = Val<'i64'>;

/** Functions of one angle. */
export const Angle = { SIN: 0, COS: 1, TAN: 2, SINCOS: 3 } as const;

/** `(mant, se, which) -> (mant, se)`: sine, cosine or tangent of a finite, non-zero magnitude below 2^63. */
const angleFunction: Micro = micro('fp_angle', ['i64', 'i32', 'i32'], ['i64', 'i32'], (m) => {
  const x = { mant: m.param('i64', 0), se: m.param('i32', 1) };
  const which = m.param('i32', 2);
  const k = new Calc(m);
  const a = k.variable();
  const b = k.variable();
  working(m, () => {
    const [rm, rs, q] = multi(m, reduceAngle, x.mant, x.se) as [L, I, I];
    const sin = multi80(m, sinKernel, rm, rs);
    const cos = multi80(m, cosKernel, rm, rs);
    k.assign(b, k.constant(1n));
    const odd = m.and(q, 1);
    m.if(
      m.eq(which, Angle.TAN),
      () => {
        m.if(
          odd,
          () => k.assign(a, k.div(k.neg(cos), sin)),
          () => k.assign(a, k.div(sin, cos)),
        );
      },
      () => {
        const turn = m.let(m.and(m.add(q, m.eq(which, Angle.COS)), 3));
        m.if(
          m.and(turn, 1),
          () => k.assign(a, cos),
          () => k.assign(a, sin),
        );
        m.if(m.and(turn, 2), () => k.assign(a, k.neg(a)));
      },
    );
  });
  // a sine or cosine that came out as 1 is a little less
  const one = m.and(m.eq(m.and(a.se, 0x7fff), BIAS), m.eq(a.mant, TOP_BIT));
  m.if(m.and(one, m.ne(which, Angle.TAN)), () => {
    const less = { mant: m.i64(TOP_BIT), se: m.let(m.xor(m.and(a.se, 0x8000), 0x8000 | (BIAS - 100))) };
    const v = finish(m, add80, a, less, m.i32(0));
    m.return(v.mant, v.se);
  });
  const v = finish(m, mul80, a, b);
  m.return(v.mant, v.se);
});

/** `(Angle)`: FSIN, FCOS, FPTAN, FSINCOS on ST(0). */
export const angle: Micro = micro('x87_angle', ['i32'], [], (m) => {
  const which = m.param('i32', 0);
  const k = new Calc(m);
  const pa = m.let(phys(m, 0));
  const top = m.let(phys(m, 7));
  const pushes = m.let(m.geU(which, Angle.TAN));
  const x = reg(m, pa);
  const give = (a: F80, b: F80): void => {
    setReg(m, pa, a);
    m.if(pushes, () => {
      setReg(m, top, b);
      m.put('fpuTop', top);
    });
  };
  setCodes(m, m.i32(0), Sw.C2);
  m.if(m.eqz(used(m, pa)), () => {
    underflow(m);
    m.if(m.eqz(settled(m)), () => give(indefinite(m), indefinite(m)));
    m.return();
  });
  m.if(m.and(pushes, used(m, top)), () => {
    overflow(m);
    m.if(m.eqz(settled(m)), () => give(indefinite(m), indefinite(m)));
    m.return();
  });
  const cls = classOf(m, x);
  const a = k.variable();
  const b = k.variable();
  k.assign(a, x);
  k.assign(b, k.constant(1n));
  m.if(
    m.geU(cls, Class.INFINITY),
    () => {
      m.if(
        m.eq(cls, Class.INFINITY),
        () => {
          raise(m, FpFlag.IE);
          k.assign(a, indefinite(m));
        },
        () => k.assign(a, quiet(m, x)),
      );
      k.assign(b, a);
    },
    () => {
      m.if(m.geU(m.and(x.se, 0x7fff), BIAS + 63), () => {
        setCodes(m, m.i32(Sw.C2), Sw.C2);
        m.drop(settled(m));
        m.return();
      });
      m.if(m.eq(cls, Class.DENORMAL), () => raise(m, FpFlag.DE));
      m.if(
        m.eqz(cls),
        () => m.if(m.eq(which, Angle.COS), () => k.assign(a, k.constant(1n))),
        () => {
          m.if(m.eq(which, Angle.SINCOS), () => k.assign(b, multi80(m, angleFunction, x.mant, x.se, m.i32(Angle.COS))));
          const first = m.select(m.eq(which, Angle.SINCOS), m.i32(Angle.SIN), which);
          k.assign(a, multi80(m, angleFunction, x.mant, x.se, first));
        },
      );
    },
  );
  m.if(settled(m), () => m.return());
  give(a, b);
});

/** Functions of ST(0) and ST(1) that replace ST(1) and pop, and F2XM1. */
export const Function2 = { YL2X: 0, YL2XP1: 1, PATAN: 2 } as const;

/** `(Function2)`: FYL2X, FYL2XP1, FPATAN. */
export const function2: Micro = micro('x87_function2', ['i32'], [], (m) => {
  const pa = m.let(phys(m, 0));
  const pb = m.let(phys(m, 1));
  m.if(m.eqz(m.and(used(m, pa), used(m, pb))), () => {
    underflow(m);
    m.if(settled(m), () => m.return());
    setReg(m, pb, indefinite(m));
    m.do(m.functionOf(popStack), m.i32(1));
    m.return();
  });
  const x = reg(m, pa);
  const y = reg(m, pb);
  const r = { mant: m.local('i64'), se: m.local('i32') };
  const run = (fn: Micro) => (): void => {
    const v = multi80(m, fn, x.mant, x.se, y.mant, y.se);
    m.set(r.mant, v.mant);
    m.set(r.se, v.se);
  };
  m.switch(m.param('i32', 0), [run(ylog2x), run(ylog2xp1), run(atan2)]);
  m.if(settled(m), () => m.return());
  setReg(m, pb, r);
  m.do(m.functionOf(popStack), m.i32(1));
});

/** F2XM1. */
export const f2xm1: Micro = micro('x87_f2xm1', [], [], (m) => {
  const p = m.let(phys(m, 0));
  m.if(m.eqz(used(m, p)), () => {
    underflow(m);
    m.if(m.eqz(settled(m)), () => setReg(m, p, indefinite(m)));
    m.return();
  });
  const x = reg(m, p);
  const r = multi80(m, exp2m1, x.mant, x.se);
  m.if(settled(m), () => m.return());
  setReg(m, p, r);
});

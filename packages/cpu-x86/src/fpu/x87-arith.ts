import type { Val } from '@sterna/wasm';
import { type Micro, micro } from '../semantics/micro.ts';
import { add80, Compare, compare80, div80, mul80, sqrt80 } from './ext-arith.ts';
import { class80 } from './ext-class.ts';
import { rint80 } from './ext-convert.ts';
import { rem80 } from './ext-rem.ts';
import { extract80, scale80 } from './ext-scale.ts';
import { multi, multi80 } from './util.ts';
import {
  indefinite,
  overflow,
  phys,
  popStack,
  reg,
  rounding,
  Sw,
  setCodes,
  setReg,
  settled,
  underflow,
  used,
} from './x87-stack.ts';

type I = Val<'i32'>;
type L = Val<'i64'>;

/** `(group, ma, sa, mb, sb) -> (mant, se)`: the arithmetic of ModRM.reg in D8-DE: ADD MUL - - SUB SUBR DIV DIVR. */
const operate: Micro = micro('x87_operate', ['i32', 'i64', 'i32', 'i64', 'i32'], ['i64', 'i32'], (m) => {
  const a = [m.param('i64', 1), m.param('i32', 2)] as const;
  const b = [m.param('i64', 3), m.param('i32', 4)] as const;
  const run =
    (fn: Micro, ...args: Val[]) =>
    (): void =>
      m.returnCall(m.functionOf(fn), ...args);
  m.switch(m.param('i32', 0), [
    run(add80, ...a, ...b, m.i32(0)),
    run(mul80, ...a, ...b),
    () => m.unreachable(),
    () => m.unreachable(),
    run(add80, ...a, ...b, m.i32(0x8000)),
    run(add80, ...b, ...a, m.i32(0x8000)),
    run(div80, ...a, ...b),
    run(div80, ...b, ...a),
  ]);
  m.unreachable();
});

/** `(group, i, dst, pops)`: ST(0) op ST(i) into ST(dst). */
export const arithReg: Micro = micro('x87_arith', ['i32', 'i32', 'i32', 'i32'], [], (m) => {
  const [group, i, dst, pops] = [0, 1, 2, 3].map((n) => m.param('i32', n)) as [I, I, I, I];
  const pa = m.let(phys(m, 0));
  const pb = m.let(phys(m, i));
  const pd = m.let(phys(m, dst));
  m.if(
    m.and(used(m, pa), used(m, pb)),
    () => {
      const a = reg(m, pa);
      const b = reg(m, pb);
      const r = multi80(m, operate, group, a.mant, a.se, b.mant, b.se);
      m.if(settled(m), () => m.return());
      setReg(m, pd, r);
    },
    () => {
      underflow(m);
      m.if(settled(m), () => m.return());
      setReg(m, pd, indefinite(m));
    },
  );
  m.do(m.functionOf(popStack), pops);
});

/** `(group, mant, se)`: ST(0) op a memory operand into ST(0); fpExc may already hold the operand's exceptions. */
export const arithMem: Micro = micro('x87_arith_mem', ['i32', 'i64', 'i32'], [], (m) => {
  const [group, mb, sb] = [m.param('i32', 0), m.param('i64', 1), m.param('i32', 2)];
  const pa = m.let(phys(m, 0));
  m.if(
    used(m, pa),
    () => {
      const a = reg(m, pa);
      const r = multi80(m, operate, group, a.mant, a.se, mb, sb);
      m.if(settled(m), () => m.return());
      setReg(m, pa, r);
    },
    () => {
      m.put('fpExc', 0);
      underflow(m);
      m.if(settled(m), () => m.return());
      setReg(m, pa, indefinite(m));
    },
  );
});

/** `(mant, se, present, quiet, pops) -> codes`: compares ST(0); an unmasked exception withholds the pops only. */
export const compareWith: Micro = micro('x87_compare', ['i64', 'i32', 'i32', 'i32', 'i32'], ['i32'], (m) => {
  const [mb, sb] = [m.param('i64', 0), m.param('i32', 1)];
  const [present, quiet, pops] = [m.param('i32', 2), m.param('i32', 3), m.param('i32', 4)];
  const pa = m.let(phys(m, 0));
  const codes = m.local('i32');
  m.if(
    m.and(used(m, pa), present),
    () => {
      const a = reg(m, pa);
      m.set(codes, m.invoke<'i32'>(compare80, a.mant, a.se, mb, sb, quiet));
    },
    () => {
      m.put('fpExc', 0);
      underflow(m);
      m.set(codes, m.i32(Compare.UNORDERED));
    },
  );
  m.if(settled(m), () => m.return(codes));
  m.do(m.functionOf(popStack), pops);
  m.return(codes);
});

/** `(i, quiet, pops) -> codes`: compares ST(0) with ST(i). */
export const compareReg: Micro = micro('x87_compare_st', ['i32', 'i32', 'i32'], ['i32'], (m) => {
  const pb = m.let(phys(m, m.param('i32', 0)));
  const b = reg(m, pb);
  m.return(m.invoke<'i32'>(compareWith, b.mant, b.se, used(m, pb), m.param('i32', 1), m.param('i32', 2)));
});

/** FXAM: the class and sign of ST(0) in C0-C3. */
export const examine: Micro = micro('x87_examine', [], [], (m) => {
  const p = m.let(phys(m, 0));
  const x = reg(m, p);
  const codes = m.local('i32');
  m.set(codes, m.i32(Sw.C3 | Sw.C0));
  m.if(used(m, p), () => {
    const { C0, C2, C3 } = Sw;
    // indexed by Class: zero, normal, denormal, infinity, NaN, NaN, unsupported
    const table = [C3, C2, C3 | C2, C2 | C0, C0, C0, 0];
    m.switch(
      m.let(m.invoke<'i32'>(class80, x.mant, x.se)),
      table.map((v) => () => m.set(codes, m.i32(v))),
    );
  });
  setCodes(m, m.or(codes, m.shrU(m.and(x.se, 0x8000), 6)), Sw.CC);
});

/** Operations on ST(0) alone. */
export const Unary = { CHS: 0, ABS: 1, SQRT: 2, RNDINT: 3 } as const;

/** `(Unary)`: FCHS, FABS, FSQRT, FRNDINT. */
export const unary: Micro = micro('x87_unary', ['i32'], [], (m) => {
  const op = m.param('i32', 0);
  const p = m.let(phys(m, 0));
  m.if(m.eqz(used(m, p)), () => {
    underflow(m);
    m.if(m.eqz(settled(m)), () => setReg(m, p, indefinite(m)));
    m.return();
  });
  const x = reg(m, p);
  m.switch(op, [
    () => m.set(x.se, m.xor(x.se, 0x8000)),
    () => m.set(x.se, m.and(x.se, 0x7fff)),
    () => {
      const r = multi80(m, sqrt80, x.mant, x.se);
      m.set(x.mant, r.mant);
      m.set(x.se, r.se);
    },
    () => {
      const r = multi80(m, rint80, x.mant, x.se, rounding(m));
      m.set(x.mant, r.mant);
      m.set(x.se, r.se);
    },
  ]);
  m.if(settled(m), () => m.return());
  setReg(m, p, x);
});

/** `(nearest)`: FPREM (0) and FPREM1 (1). */
export const remainder: Micro = micro('x87_remainder', ['i32'], [], (m) => {
  const pa = m.let(phys(m, 0));
  const pb = m.let(phys(m, 1));
  m.if(m.eqz(m.and(used(m, pa), used(m, pb))), () => {
    underflow(m);
    m.if(m.eqz(settled(m)), () => setReg(m, pa, indefinite(m)));
    setCodes(m, m.i32(0), Sw.C2);
    m.return();
  });
  const a = reg(m, pa);
  const b = reg(m, pb);
  const [mant, se, codes] = multi(m, rem80, a.mant, a.se, b.mant, b.se, m.param('i32', 0)) as [L, I, I];
  m.if(settled(m), () => {
    setCodes(m, m.i32(0), Sw.C2);
    m.return();
  });
  setReg(m, pa, { mant, se });
  // a NaN clears C2 only
  m.if(
    m.ltS(codes, 0),
    () => setCodes(m, m.i32(0), Sw.C2),
    () => setCodes(m, codes, Sw.CC),
  );
});

/** FSCALE. */
export const scale: Micro = micro('x87_scale', [], [], (m) => {
  const pa = m.let(phys(m, 0));
  const pb = m.let(phys(m, 1));
  m.if(m.eqz(m.and(used(m, pa), used(m, pb))), () => {
    underflow(m);
    m.if(m.eqz(settled(m)), () => setReg(m, pa, indefinite(m)));
    m.return();
  });
  const a = reg(m, pa);
  const b = reg(m, pb);
  const r = multi80(m, scale80, a.mant, a.se, b.mant, b.se);
  m.if(settled(m), () => m.return());
  setReg(m, pa, r);
});

/** FXTRACT: the exponent replaces ST(0), then the significand is pushed. */
export const extract: Micro = micro('x87_extract', [], [], (m) => {
  const pa = m.let(phys(m, 0));
  const top = m.let(phys(m, 7));
  const free = m.let(m.eqz(used(m, top)));
  const both = (): void => {
    m.if(settled(m), () => m.return());
    setReg(m, pa, indefinite(m));
    setReg(m, top, indefinite(m));
    m.put('fpuTop', top);
    m.return();
  };
  m.if(m.eqz(used(m, pa)), () => {
    underflow(m);
    both();
  });
  m.if(m.eqz(free), () => {
    overflow(m);
    both();
  });
  const a = reg(m, pa);
  const [em, es, sm, ss] = multi(m, extract80, a.mant, a.se) as [L, I, L, I];
  m.if(settled(m), () => m.return());
  setReg(m, pa, { mant: em, se: es });
  setReg(m, top, { mant: sm, se: ss });
  m.put('fpuTop', top);
});

import type { Val } from '@sterna/wasm';
import type { Machine } from '../semantics/machine.ts';
import { type Micro, micro } from '../semantics/micro.ts';
import { addCore, divCore, mulCore, sqrtCore } from './core.ts';
import { Class, class80, returnInfinity, returnInvalid, returnNan, signOf, unpacked, zeroSign } from './ext-class.ts';
import { FpFlag, raise, round80 } from './round.ts';
import { type F80, multi, multi80 } from './util.ts';

type I = Val<'i32'>;
type L = Val<'i64'>;

interface Operands {
  readonly a: F80;
  readonly b: F80;
  readonly ca: I;
  readonly cb: I;
}

function operands(c: Machine): Operands {
  const a = { mant: c.param('i64', 0), se: c.param('i32', 1) };
  const b = { mant: c.param('i64', 2), se: c.param('i32', 3) };
  const ca = c.let(c.invoke<'i32'>(class80, a.mant, a.se));
  const cb = c.let(c.invoke<'i32'>(class80, b.mant, b.se));
  return { a, b, ca, cb };
}

/** Statement: rounds to the control word's precision and returns. */
function returnRounded(c: Machine, sign: I, exp: I, sig: L, extra: L): void {
  const r = multi80(c, round80, sign, exp, sig, extra, c.get('fpuCw'));
  c.return(r.mant, r.se);
}

const either = (c: Machine, o: Operands, kind: number): I => c.or(c.eq(o.ca, kind), c.eq(o.cb, kind));
const anyNan = (c: Machine, o: Operands): I => c.or(c.geU(o.ca, Class.QNAN), c.geU(o.cb, Class.QNAN));
const denormals = (c: Machine, o: Operands): void => c.if(either(c, o, Class.DENORMAL), () => raise(c, FpFlag.DE));

/** `(ma, sa, mb, sb, flip) -> (mant, se)`: a + b, or a - b when `flip` is 0x8000. */
export const add80: Micro = micro('fp_add80', ['i64', 'i32', 'i64', 'i32', 'i32'], ['i64', 'i32'], (c) => {
  const o = operands(c);
  const { a, b, ca, cb } = o;
  const sb = c.local('i32');
  c.set(sb, c.xor(b.se, c.param('i32', 4)));
  c.if(
    c.or(c.ne(ca, Class.NORMAL), c.ne(cb, Class.NORMAL)),
    () => {
      c.if(anyNan(c, o), () => returnNan(c, a, b));
      denormals(c, o);
      c.if(c.eq(ca, Class.INFINITY), () => {
        c.if(c.and(c.eq(cb, Class.INFINITY), c.ne(a.se, sb)), () => returnInvalid(c));
        c.return(a.mant, a.se);
      });
      c.if(c.eq(cb, Class.INFINITY), () => c.return(b.mant, sb));
      c.if(c.eqz(ca), () => {
        c.if(c.eqz(cb), () => {
          c.return(c.i64(0), c.select(c.eq(a.se, sb), sb, zeroSign(c)));
        });
        const u = unpacked(c, b);
        returnRounded(c, signOf(c, sb), u.exp, u.sig, c.i64(0));
      });
      c.if(c.eqz(cb), () => {
        const u = unpacked(c, a);
        returnRounded(c, signOf(c, a.se), u.exp, u.sig, c.i64(0));
      });
    },
    undefined,
    false,
  );
  const ua = unpacked(c, a);
  const ub = unpacked(c, b);
  const [s, e, sig, extra] = multi(c, addCore, signOf(c, a.se), ua.exp, ua.sig, signOf(c, sb), ub.exp, ub.sig) as [
    I,
    I,
    L,
    L,
  ];
  c.if(c.eqz(sig), () => c.return(c.i64(0), zeroSign(c)));
  returnRounded(c, s, e, sig, extra);
});

/** `(ma, sa, mb, sb) -> (mant, se)`: a * b. */
export const mul80: Micro = micro('fp_mul80', ['i64', 'i32', 'i64', 'i32'], ['i64', 'i32'], (c) => {
  const o = operands(c);
  const { a, b, ca, cb } = o;
  const sign = c.let(c.and(c.xor(a.se, b.se), 0x8000));
  c.if(
    c.or(c.ne(ca, Class.NORMAL), c.ne(cb, Class.NORMAL)),
    () => {
      c.if(anyNan(c, o), () => returnNan(c, a, b));
      c.if(either(c, o, Class.INFINITY), () => {
        c.if(either(c, o, Class.ZERO), () => returnInvalid(c));
        denormals(c, o);
        returnInfinity(c, sign);
      });
      denormals(c, o);
      c.if(either(c, o, Class.ZERO), () => c.return(c.i64(0), sign));
    },
    undefined,
    false,
  );
  const ua = unpacked(c, a);
  const ub = unpacked(c, b);
  const [e, sig, extra] = multi(c, mulCore, ua.exp, ua.sig, ub.exp, ub.sig) as [I, L, L];
  returnRounded(c, signOf(c, sign), e, sig, extra);
});

/** `(ma, sa, mb, sb) -> (mant, se)`: a / b. */
export const div80: Micro = micro('fp_div80', ['i64', 'i32', 'i64', 'i32'], ['i64', 'i32'], (c) => {
  const o = operands(c);
  const { a, b, ca, cb } = o;
  const sign = c.let(c.and(c.xor(a.se, b.se), 0x8000));
  c.if(
    c.or(c.ne(ca, Class.NORMAL), c.ne(cb, Class.NORMAL)),
    () => {
      c.if(anyNan(c, o), () => returnNan(c, a, b));
      c.if(c.eq(ca, Class.INFINITY), () => {
        c.if(c.eq(cb, Class.INFINITY), () => returnInvalid(c));
        denormals(c, o);
        returnInfinity(c, sign);
      });
      c.if(c.eqz(cb), () => {
        c.if(c.eqz(ca), () => returnInvalid(c));
        // outranks the denormal a narrow operand may have announced
        c.put('fpExc', FpFlag.ZE);
        returnInfinity(c, sign);
      });
      denormals(c, o);
      c.if(c.or(c.eqz(ca), c.eq(cb, Class.INFINITY)), () => c.return(c.i64(0), sign));
    },
    undefined,
    false,
  );
  const ua = unpacked(c, a);
  const ub = unpacked(c, b);
  const [e, sig, extra] = multi(c, divCore, ua.exp, ua.sig, ub.exp, ub.sig) as [I, L, L];
  returnRounded(c, signOf(c, sign), e, sig, extra);
});

/** `(mant, se) -> (mant, se)`: square root. */
export const sqrt80: Micro = micro('fp_sqrt80', ['i64', 'i32'], ['i64', 'i32'], (c) => {
  const a = { mant: c.param('i64', 0), se: c.param('i32', 1) };
  const ca = c.let(c.invoke<'i32'>(class80, a.mant, a.se));
  c.if(c.geU(ca, Class.QNAN), () => returnNan(c, a, a));
  c.if(c.eqz(ca), () => c.return(a.mant, a.se));
  c.if(c.and(a.se, 0x8000), () => returnInvalid(c));
  c.if(c.eq(ca, Class.INFINITY), () => c.return(a.mant, a.se));
  c.if(c.eq(ca, Class.DENORMAL), () => raise(c, FpFlag.DE));
  const u = unpacked(c, a);
  const [e, sig, extra] = multi(c, sqrtCore, u.exp, u.sig) as [I, L, L];
  returnRounded(c, c.i32(0), e, sig, extra);
});

/** Condition codes of comparisons, in the status word: C0 less, C3 equal, all three unordered. */
export const Compare = { GREATER: 0, LESS: 0x100, EQUAL: 0x4000, UNORDERED: 0x4500 } as const;

/** `(ma, sa, mb, sb, quiet) -> condition codes`: quiet NaNs are invalid unless `quiet`. */
export const compare80: Micro = micro('fp_compare80', ['i64', 'i32', 'i64', 'i32', 'i32'], ['i32'], (c) => {
  const o = operands(c);
  const { a, b, ca, cb } = o;
  c.if(anyNan(c, o), () => {
    c.put('fpExc', c.and(c.get('fpExc'), ~FpFlag.DE));
    const signals = c.or(c.geU(ca, Class.SNAN), c.geU(cb, Class.SNAN));
    c.if(c.or(signals, c.eqz(c.param('i32', 4))), () => raise(c, FpFlag.IE));
    c.return(c.i32(Compare.UNORDERED));
  });
  denormals(c, o);
  c.if(c.eqz(c.or(ca, cb)), () => c.return(c.i32(Compare.EQUAL)));
  const less = c.let(signOf(c, a.se));
  c.if(c.ne(less, signOf(c, b.se)), () => c.return(c.shl(less, 8)));
  // same sign: compare magnitudes; a pseudo-denormal has the value of exponent 1
  const exponent = (x: F80): I => {
    const e = c.let(c.and(x.se, 0x7fff));
    return c.let(c.or(e, c.and(c.eqz(e), c.ltS(x.mant, 0))));
  };
  const ea = exponent(a);
  const eb = exponent(b);
  c.if(c.and(c.eq(ea, eb), c.eq(a.mant, b.mant)), () => c.return(c.i32(Compare.EQUAL)));
  const below = c.or(c.ltU(ea, eb), c.and(c.eq(ea, eb), c.ltU(a.mant, b.mant)));
  c.return(c.shl(c.xor(below, less), 8));
});

import type { Val } from '@sterna/wasm';
import type { Machine } from '../semantics/machine.ts';
import { type Micro, micro } from '../semantics/micro.ts';
import { multi } from './util.ts';
import { increments, shrJam128, TOP_BIT } from './wide.ts';

/** Exception flags, at the same bits in the x87 status word and in MXCSR; C1 (rounded up) as in the status word. */
export const FpFlag = { IE: 1, DE: 2, ZE: 4, OE: 8, UE: 16, PE: 32, C1: 0x200 } as const;

/** An interchange format narrower than the extended one. */
export interface SmallFormat {
  readonly name: 'f32' | 'f64';
  /** Significant bits, with the hidden one. */
  readonly precision: number;
  /** Largest exponent field of a finite number. */
  readonly maxExponent: number;
  /** Bits of the whole format. */
  readonly bits: number;
  /** Exponent bias of the extended format minus this one's. */
  readonly rebias: number;
}
/** IEEE single. */
export const F32: SmallFormat = { name: 'f32', precision: 24, maxExponent: 0xfe, bits: 32, rebias: 0x3fff - 0x7f };
/** IEEE double. */
export const F64: SmallFormat = { name: 'f64', precision: 53, maxExponent: 0x7fe, bits: 64, rebias: 0x3fff - 0x3ff };

// Rounding of an unpacked number: sign, exponent with the extended bias but no limits, significand with bit 63 set and a
// 64-bit fraction `extra` whose bit 0 is sticky.

/** Statement: raises flags. */
export function raise(c: Machine, flags: Val<'i32'> | number): void {
  c.put('fpExc', c.or(c.get('fpExc'), flags));
}

/** Moves the low `k` bits of a significand into the fraction; `k` is 0, or a literal. */
function fold(c: Machine, sig: Val<'i64'>, extra: Val<'i64'>, k: Val<'i64'>): { sig: Val<'i64'>; extra: Val<'i64'> } {
  const mask = c.let(c.sub(c.shl(c.i64(1), k), 1));
  const x = c.local('i64');
  c.set(x, extra);
  c.if(c.ne(k, 0), () => {
    c.set(x, c.or(c.shl(c.and(sig, mask), c.sub(c.i64(64), k)), c.extU(c.ne(extra, 0))));
  });
  return { sig: c.let(c.and(sig, c.xor(mask, -1))), extra: x };
}

const { OE, UE, PE } = FpFlag;
const inexact = (c: Machine, extra: Val<'i64'>, inc: Val<'i32'>): Val<'i32'> =>
  c.or(c.shl(c.ne(extra, 0), 5), c.shl(inc, 9));

/** Rounds at bit `k`; with the exponent unbounded. */
const step = (
  c: Machine,
  sign: Val<'i32'>,
  rc: Val<'i32'>,
  sig: Val<'i64'>,
  extra: Val<'i64'>,
  k: Val<'i64'>,
): { sum: Val<'i64'>; extra: Val<'i64'>; inc: Val<'i32'> } => {
  const f = fold(c, sig, extra, k);
  const odd = c.and(c.wrap(c.shrU(f.sig, k)), 1);
  const inc = c.let(c.invoke<'i32'>(increments, sign, rc, f.extra, odd));
  return { sum: c.let(c.add(f.sig, c.shl(c.extU(inc), k))), extra: f.extra, inc };
};
/** Whether an overflow rounds to the largest finite number: toward zero, or away from the sign's infinity. */
const staysFinite = (c: Machine, sign: Val<'i32'>, rc: Val<'i32'>): Val<'i32'> =>
  c.and(c.ne(rc, 0), c.ne(rc, c.sub(c.i32(2), sign)));

/** `(sign, exponent, sig, extra, control word) -> (mantissa, sign|exponent)`: to extended. */
export const round80: Micro = micro('fp_round80', ['i32', 'i32', 'i64', 'i64', 'i32'], ['i64', 'i32'], (c) => {
  const [sign, exp, sig, extra] = [c.param('i32', 0), c.param('i32', 1), c.param('i64', 2), c.param('i64', 3)];
  const cw = c.param('i32', 4);
  const rc = c.let(c.and(c.shrU(cw, 10), 3));
  const pc = c.let(c.and(c.shrU(cw, 8), 3));
  const k = c.let(c.select(c.eqz(pc), c.i64(40), c.select(c.eq(pc, 2), c.i64(11), 0)));
  const s = c.let(c.shl(sign, 15));
  const r = step(c, sign, rc, sig, extra, k);
  const carry = c.let(c.eqz(r.sum));
  const mant = c.let(c.or(r.sum, c.shl(c.extU(carry), 63)));
  const e = c.let(c.add(exp, carry));
  const report = c.let(inexact(c, r.extra, r.inc));
  c.if(c.ltU(c.sub(e, 1), 0x7ffe), () => {
    c.if(report, () => raise(c, report));
    c.return(mant, c.or(s, e));
  });
  c.if(c.gtS(e, 0), () => {
    c.if(c.eqz(c.and(cw, OE)), () => {
      raise(c, c.or(report, OE));
      c.return(mant, c.or(s, c.and(c.sub(e, 24576), 0x7fff)));
    });
    raise(c, OE | PE);
    c.if(staysFinite(c, sign, rc), () => c.return(c.shl(c.i64(-1), k), c.or(s, 0x7ffe)));
    raise(c, FpFlag.C1);
    c.return(c.i64(TOP_BIT), c.or(s, 0x7fff));
  });
  // tiny
  c.if(c.eqz(c.and(cw, UE)), () => {
    raise(c, c.or(report, UE));
    c.return(mant, c.or(s, c.and(c.add(e, 24576), 0x7fff)));
  });
  const [dHi, dLo] = multi(c, shrJam128, sig, extra, c.sub(c.i32(1), exp)) as [Val<'i64'>, Val<'i64'>];
  const d = step(c, sign, rc, dHi, dLo, k);
  c.if(c.ne(d.extra, 0), () => raise(c, c.or(inexact(c, d.extra, d.inc), UE)));
  c.return(d.sum, c.or(s, c.wrap(c.shrU(d.sum, 63))));
});

const small = (fmt: SmallFormat): Micro =>
  micro(`fp_round_${fmt.name}`, ['i32', 'i32', 'i64', 'i64', 'i32'], ['i64'], (c) => {
    const [sign, exp, sig, extra] = [c.param('i32', 0), c.param('i32', 1), c.param('i64', 2), c.param('i64', 3)];
    const ctl = c.param('i32', 4);
    const rc = c.let(c.and(c.shrU(ctl, 13), 3));
    const k = c.i64(64 - fmt.precision);
    const s = c.let(c.shl(c.extU(sign), fmt.bits - 1));
    const field = (e: Val<'i32'>): Val<'i64'> => c.shl(c.extU(e), fmt.precision - 1);
    const r = step(c, sign, rc, sig, extra, k);
    const carry = c.let(c.eqz(r.sum));
    const e = c.let(c.add(c.sub(exp, fmt.rebias), carry));
    const report = c.let(inexact(c, r.extra, r.inc));
    c.if(c.ltU(c.sub(e, 1), fmt.maxExponent), () => {
      c.if(report, () => raise(c, report));
      // the hidden bit is dropped by the shift
      c.return(c.or(c.or(s, field(e)), c.shrU(c.shl(r.sum, 1), 65 - fmt.precision)));
    });
    c.if(c.gtS(e, 0), () => {
      c.if(c.eqz(c.and(ctl, OE << 7)), () => {
        raise(c, c.or(report, OE));
        c.return(c.i64(0));
      });
      raise(c, OE | PE);
      const infinity = BigInt(fmt.maxExponent + 1) << BigInt(fmt.precision - 1);
      c.if(staysFinite(c, sign, rc), () => c.return(c.or(s, infinity - 1n)));
      raise(c, FpFlag.C1);
      c.return(c.or(s, infinity));
    });
    c.if(c.eqz(c.and(ctl, UE << 7)), () => {
      raise(c, c.or(report, UE));
      c.return(c.i64(0));
    });
    c.if(c.and(ctl, 0x8000), () => {
      raise(c, UE | PE);
      c.return(s);
    });
    const n = c.sub(c.i32(1 + fmt.rebias), exp);
    const [dHi, dLo] = multi(c, shrJam128, sig, extra, n) as [Val<'i64'>, Val<'i64'>];
    const d = step(c, sign, rc, dHi, dLo, k);
    c.if(c.ne(d.extra, 0), () => raise(c, c.or(inexact(c, d.extra, d.inc), UE)));
    // a carry into the hidden bit makes the smallest normal number by itself
    c.return(c.or(s, c.shrU(d.sum, k)));
  });
/** `(sign, exponent, sig, extra, control) -> bits`: to single; `control` has MXCSR's layout. */
export const round32: Micro = small(F32);
/** `(sign, exponent, sig, extra, control) -> bits`: to double. */
export const round64: Micro = small(F64);

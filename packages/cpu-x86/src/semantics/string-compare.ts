import { type Val, v128 } from '@sterna/wasm';
import { enc } from '../decode/enc.ts';
import { def } from './def.ts';
import { checkSse } from './fp-check.ts';
import type { Int, Machine } from './machine.ts';
import { type Micro, micro } from './micro.ts';
import { Flag, Reg } from './vectors.ts';

type I = Val<'i32'>;
type L = Val<'i64'>;
type V = Val<'v128'>;

// SSE4.2 text processing (SDM volume 2B, 4.1). The control byte: bit 0 words, bit 1 signed, bits 2-3 aggregation, bits 4-5
// polarity, bit 6 which end or a mask of whole elements. Bit i of a result belongs to element i of the second operand.

const Control = { WORDS: 1, SIGNED: 2, AGGREGATION: 12, NEGATE: 0x10, VALID_ONLY: 0x20, HIGH: 0x40 } as const;

/** Bits of the elements that compare true. */
function lanes(m: Machine, words: boolean, op: string, a: V, b: V): I {
  const shape = words ? 'i16x8' : 'i8x16';
  return m.simdTest(`${shape}.bitmask`, m.simd(`${shape}.${op}`, a, b));
}

/** Element `n` of a vector in every place. */
function broadcast(m: Machine, words: boolean, v: V, n: I): V {
  const index = words ? m.simd('i16x8.splat', m.add(m.mul(n, 0x0202), 0x0100)) : m.simd('i8x16.splat', n);
  return m.simd('i8x16.swizzle', v, index);
}

/** Runs code for 0, `step`, 2 * `step`... while below `count`. */
function each(m: Machine, count: I, step: number, fn: (n: Val<'i32'>) => void): void {
  const n = m.local('i32');
  m.set(n, 0);
  m.block((done) => {
    m.loop((again) => {
      m.brIf(done, m.geS(n, count));
      fn(n);
      m.set(n, m.add(n, step));
      m.br(again);
    });
  });
}

/** `(a, b, length a, length b, control) -> bits`: what the instructions compare, after polarity; by element size. */
function comparison(words: boolean): Micro {
  const count = words ? 8 : 16;
  const everything = 2 ** count - 1;
  return micro(`string_compare_${words ? 'words' : 'bytes'}`, ['v128', 'v128', 'i32', 'i32', 'i32'], ['i32'], (m) => {
    const [a, b, la, lb] = [m.param('v128', 0), m.param('v128', 1), m.param('i32', 2), m.param('i32', 3)];
    const control = m.param('i32', 4);
    const validA = m.let(m.sub(m.shl(m.i32(1), la), 1));
    const validB = m.let(m.sub(m.shl(m.i32(1), lb), 1));
    const r = m.local('i32');
    m.switch(m.shrU(m.and(control, Control.AGGREGATION), 2), [
      // equal any: a set of characters
      () => {
        m.set(r, 0);
        each(m, la, 1, (n) => m.set(r, m.or(r, lanes(m, words, 'eq', broadcast(m, words, a, n), b))));
        m.set(r, m.and(r, validB));
      },
      // ranges: pairs of limits
      () => {
        m.set(r, 0);
        const pairs = m.let(m.and(la, -2));
        for (const [sign, bit] of [
          ['u', 0],
          ['s', Control.SIGNED],
        ] as const) {
          m.if(m.eq(m.and(control, Control.SIGNED), bit), () =>
            each(m, pairs, 2, (n) => {
              const above = lanes(m, words, `ge_${sign}`, b, broadcast(m, words, a, n));
              const below = lanes(m, words, `le_${sign}`, b, broadcast(m, words, a, m.let(m.add(n, 1))));
              m.set(r, m.or(r, m.and(above, below)));
            }),
          );
        }
        m.set(r, m.and(r, validB));
      },
      // equal each: both strings side by side, ended ones alike
      () => {
        const same = m.and(lanes(m, words, 'eq', a, b), m.and(validA, validB));
        m.set(r, m.or(same, m.and(m.not(m.or(validA, validB)), everything)));
      },
      // equal ordered: the first string inside the second
      () => {
        m.set(r, everything);
        each(m, la, 1, (n) => {
          const hits = m.and(lanes(m, words, 'eq', broadcast(m, words, a, n), b), validB);
          // what begins too late to be seen whole may match
          const beyond = m.shl(m.i32(everything), m.sub(m.i32(count), n));
          m.set(r, m.and(r, m.or(m.shrU(hits, n), m.and(beyond, everything))));
        });
      },
    ]);
    m.if(m.and(control, Control.NEGATE), () => {
      m.set(r, m.xor(r, m.select(m.and(control, Control.VALID_ONLY), validB, everything)));
    });
    m.return(r);
  });
}
const COMPARE_BYTES = comparison(false);
const COMPARE_WORDS = comparison(true);

/** `(vector, control) -> length`: elements before the first zero. */
const implicitLength: Micro = micro('string_length', ['v128', 'i32'], ['i32'], (m) => {
  const [v, control] = [m.param('v128', 0), m.param('i32', 1)];
  const zero = v128(Array<number>(16).fill(0));
  m.if(m.and(control, Control.WORDS), () => m.return(m.ctz(m.or(lanes(m, true, 'eq', v, zero), 0x100))));
  m.return(m.ctz(m.or(lanes(m, false, 'eq', v, zero), 0x1_0000)));
});

/** Magnitude of a length in a register, at most the number of elements. */
function explicitLength(m: Machine, reg: number, most: I): I {
  const bits = m.variant.size === 64 ? 64 : 32;
  const v = m.gpr(reg, bits);
  const wide = m.let(bits === 64 ? (v as L) : m.extS(v as I));
  const magnitude = m.let(m.select(m.ltS(wide, 0), m.sub(m.i64(0), wide), wide));
  return m.let(m.wrap(m.select(m.ltU(magnitude, m.extU(most)), magnitude, m.extU(most))));
}

/** Bits as a mask of whole elements. */
function expand(m: Machine, bits: I, words: boolean): V {
  if (words) {
    const bit = v128([0, 1, 2, 3, 4, 5, 6, 7].flatMap((i) => [1 << i, 0]));
    return m.simd('i16x8.eq', m.simd('v128.and', m.simd('i16x8.splat', bits), bit), bit);
  }
  const bit = v128(Array.from({ length: 16 }, (_, i) => 1 << (i & 7)));
  const halves = v128(Array.from({ length: 16 }, (_, i) => i >> 3));
  const spread = m.simd('i8x16.swizzle', m.simd('i16x8.splat', bits), halves);
  return m.simd('i8x16.eq', m.simd('v128.and', spread, bit), bit);
}

for (const [opcode, name, explicit, index] of [
  ['60', 'pcmpestrm', true, false],
  ['61', 'pcmpestri', true, true],
  ['62', 'pcmpistrm', false, false],
  ['63', 'pcmpistri', false, true],
] as const) {
  def(name, (m, first, second, imm) => {
    checkSse(m);
    const b = m.readVector(second!);
    const a = m.readVector(first!);
    const control = m.let(m.read(imm!) as I);
    const words = m.let(m.and(control, Control.WORDS));
    const most = m.let(m.shrU(m.i32(16), words));
    const la = explicit ? explicitLength(m, Reg.AX, most) : m.let(m.invoke<'i32'>(implicitLength, a, control));
    const lb = explicit ? explicitLength(m, Reg.DX, most) : m.let(m.invoke<'i32'>(implicitLength, b, control));
    const r = m.local('i32');
    m.if(
      words,
      () => m.set(r, m.invoke<'i32'>(COMPARE_WORDS, a, b, la, lb, control)),
      () => m.set(r, m.invoke<'i32'>(COMPARE_BYTES, a, b, la, lb, control)),
    );
    if (index) {
      const lowest = m.ctz(r);
      const highest = m.sub(m.i32(31), m.clz(r));
      const found = m.select(m.and(control, Control.HIGH), highest, lowest);
      m.setGpr(Reg.CX, 32, m.let(m.select(r, found, most)) as Int);
    } else {
      const out = m.local('v128');
      m.if(
        m.and(control, Control.HIGH),
        () =>
          m.if(
            words,
            () => m.set(out, expand(m, r, true)),
            () => m.set(out, expand(m, r, false)),
          ),
        () => m.set(out, m.replaceLane('i32x4', v128(Array<number>(16).fill(0)), 0, r)),
      );
      m.put('xmm', out, 0);
    }
    const flags = [m.ne(r, 0), m.shl(m.ltU(lb, most), 6), m.shl(m.ltU(la, most), 7), m.shl(m.and(r, 1), 11)] as const;
    m.setArithFlags(m.let(m.or(m.or(flags[0], flags[1]), m.or(flags[2], flags[3]))));
  });
  enc(`66 0f 3a ${opcode} /r`, name, 'Vdq,Wdq,Ib', { feature: 'sse4.2', osz: explicit });
}
if (Flag.ZF !== 1 << 6 || Flag.SF !== 1 << 7 || Flag.OF !== 1 << 11) throw new Error('flags are placed by shifts');

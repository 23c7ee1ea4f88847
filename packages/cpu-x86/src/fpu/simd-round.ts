import type { Val } from '@sterna/wasm';
import { type Micro, micro } from '../semantics/micro.ts';
import { FpFlag, raise } from './round.ts';
import { formatOf, type Shape } from './simd.ts';
import { mxcsrRounding } from './simd-convert.ts';

/** Bits of the immediate: rounding of its own in bits 0-1, or that of MXCSR; whether an inexact result is silent. */
export const RoundControl = { MODE: 3, MXCSR: 4, SILENT: 8 } as const;

/** Roundings by their numbers in MXCSR. */
export const ROUNDINGS = ['nearest', 'floor', 'ceil', 'trunc'] as const;

function roundLane(shape: Shape): Micro {
  const { bits, precision, maxExponent, name } = formatOf(shape);
  const exponentMask = BigInt(maxExponent + 1) << BigInt(precision - 1);
  return micro(`fp_integral_${name}`, ['i64', 'i32'], ['i64'], (m) => {
    const [x, control] = [m.param('i64', 0), m.param('i32', 1)];
    const number = (name === 'f32' ? m.let(m.reinterpret(m.wrap(x))) : m.let(m.reinterpret(x))) as Val<'f64'>;
    m.if(m.ne(number, number), () => {
      const quiet = 1n << BigInt(precision - 2);
      m.if(m.eqz(m.and(x, quiet)), () => raise(m, FpFlag.IE));
      m.return(m.or(x, quiet));
    });
    // denormals are zeros under DAZ, and raise nothing otherwise
    m.if(m.and(m.eqz(m.and(x, exponentMask)), m.ne(m.and(m.get('mxcsr'), 0x40), 0)), () =>
      m.return(m.and(x, 1n << BigInt(bits - 1))),
    );
    const r = m.local(name) as Val<'f64'> & ReturnType<typeof m.local>;
    const own = m.and(control, RoundControl.MODE);
    const mode = m.let(m.select(m.and(control, RoundControl.MXCSR), mxcsrRounding(m), own));
    m.switch(
      mode,
      ROUNDINGS.map((rounding) => (): void => m.set(r as never, m.funary(rounding, number) as never)),
    );
    m.if(m.and(m.eqz(m.and(control, RoundControl.SILENT)), m.ne(r, number)), () => raise(m, FpFlag.PE));
    m.return(name === 'f32' ? m.extU(m.reinterpret(r as unknown as Val<'f32'>)) : m.reinterpret(r));
  });
}

/** `(bits, control) -> bits`: one number rounded to an integer; the control is the immediate of ROUNDSD. */
export const ROUND: Readonly<Record<Shape, Micro>> = { f32x4: roundLane('f32x4'), f64x2: roundLane('f64x2') };

import type { Val } from '@sterna/wasm';
import { enc } from '../decode/enc.ts';
import { initFpu } from '../fpu/x87-control.ts';
import { COMPONENTS, Component, XSAVE_HEADER } from '../state/xsave-layout.ts';
import { CR4 } from '../system/bits.ts';
import { requireCpl0 } from '../system/control.ts';
import { def } from './def.ts';
import { FX, readMxcsr, restoreX87, restoreXmm, saveMxcsr, saveX87, saveXmm, withImage } from './fx-image.ts';
import type { Machine } from './machine.ts';
import { isMem, type Operand } from './operand.ts';
import { Reg, Vec } from './vectors.ts';

type I = Val<'i32'>;
type L = Val<'i64'>;

/** #UD unless the system has enabled XSAVE, then #NM for CR0.TS. */
function checkXsave(m: Machine): void {
  m.raiseIf(m.eqz(m.and(m.wrap(m.get('cr4')), CR4.OSXSAVE)), Vec.UD);
}
function checkTask(m: Machine): void {
  m.raiseIf(m.and(m.wrap(m.get('cr0')), 8), Vec.NM);
}

/** Components that EDX:EAX asks for and XCR0 has. */
function requested(m: Machine): I {
  return m.let(m.and(m.wrap(m.get('regs', Reg.AX)), m.wrap(m.get('xcr0'))));
}

/** Address of the area; #GP unless it is a multiple of 64. */
function area(m: Machine, op: Operand, write: boolean): L {
  if (!isMem(op)) throw new Error('XSAVE areas are in memory');
  const at = m.linear(op, XSAVE_HEADER.size, write);
  m.raiseIf(m.and(m.wrap(at), 63), Vec.GP, 0);
  return at;
}
const xmmCount = (m: Machine): I => m.select(m.inLongMode(), m.i32(16), 8);

// XSAVEOPT may leave out what is unchanged; it need not

def('xsave', (m, dst) => {
  checkXsave(m);
  checkTask(m);
  const at = area(m, dst!, true);
  m.probeWrite(at, XSAVE_HEADER.size);
  const wanted = requested(m);
  const before = m.loadLinear(m.let(m.add(at, XSAVE_HEADER.stateBv)), 64);
  withImage(m, at, FX.size, true, (image) => {
    m.if(m.and(wanted, Component.X87), () => saveX87(m, image));
    m.if(m.and(wanted, Component.SSE), () => {
      saveMxcsr(m, image);
      saveXmm(m, image, m.let(xmmCount(m)));
    });
  });
  // every component counts as in use
  const bits = m.extU(wanted);
  m.storeLinear(m.let(m.add(at, XSAVE_HEADER.stateBv)), 64, m.let(m.or(before, bits)));
});
enc('np 0f ae /4 mem', 'xsave', 'Mx', { osz: true, feature: 'xsave' });
enc('np 0f ae /6 mem', 'xsave', 'Mx', { osz: true, feature: 'xsaveopt' });

def('xrstor', (m, src) => {
  checkXsave(m);
  checkTask(m);
  const at = area(m, src!, false);
  m.loadLinear(at, 8);
  const word = (offset: number): L => m.loadLinear(m.let(m.add(at, offset)), 64);
  const stored = word(XSAVE_HEADER.stateBv);
  // the compacted form does not exist here, and reserved bytes are zero
  const reserved = m.or(
    m.or(word(XSAVE_HEADER.compBv), word(XSAVE_HEADER.reserved)),
    m.and(stored, m.not(m.get('xcr0'))),
  );
  m.raiseIf(m.ne(reserved, 0), Vec.GP, 0);
  const wanted = requested(m);
  const present = m.let(m.and(wanted, m.wrap(stored)));
  const mxcsr = m.local('i32');
  m.set(mxcsr, m.get('mxcsr'));
  // MXCSR comes from the area even when the XMM registers do not
  m.if(m.and(wanted, Component.SSE), () => m.set(mxcsr, readMxcsr(m, { at })));
  m.if(m.and(wanted, Component.X87), () =>
    m.if(
      m.and(present, Component.X87),
      () => withImage(m, at, FX.size, false, (image) => restoreX87(m, image)),
      () => {
        m.do(m.functionOf(initFpu));
        const i = m.local('i32');
        m.set(i, 0);
        m.loop((again) => {
          m.put('fpMant', m.i64(0), i);
          m.put('fpExp', m.i32(0), i);
          m.set(i, m.add(i, 1));
          m.brIf(again, m.ltU(i, 8));
        });
      },
    ),
  );
  m.put('mxcsr', mxcsr);
  m.if(m.and(wanted, Component.SSE), () =>
    m.if(
      m.and(present, Component.SSE),
      () => withImage(m, at, FX.size, false, (image) => restoreXmm(m, image, m.let(xmmCount(m)))),
      () => {
        const i = m.local('i32');
        m.set(i, 0);
        m.loop((again) => {
          m.put('xmm', m.simd('i64x2.splat', m.i64(0)), i);
          m.set(i, m.add(i, 1));
          m.brIf(again, m.ltU(i, xmmCount(m)));
        });
      },
    ),
  );
});
enc('np 0f ae /5 mem', 'xrstor', 'Mx', { osz: true, feature: 'xsave' });

def('xgetbv', (m) => {
  checkXsave(m);
  const index = m.let(m.wrap(m.get('regs', Reg.CX)));
  // 1: components in use, which is all that are enabled
  m.raiseIf(m.gtU(index, 1), Vec.GP, 0);
  const value = m.let(m.get('xcr0'));
  m.put('regs', m.and(value, 0xffff_ffff), Reg.AX);
  m.put('regs', m.shrU(value, 32), Reg.DX);
});
enc('np 0f 01 d0', 'xgetbv', '', { feature: 'xsave' });

def('xsetbv', (m) => {
  checkXsave(m);
  requireCpl0(m);
  const value = m.let(m.or(m.and(m.get('regs', Reg.AX), 0xffff_ffff), m.shl(m.get('regs', Reg.DX), 32)));
  const bad = m.or(m.ne(m.wrap(m.get('regs', Reg.CX)), 0), m.eqz(m.and(m.wrap(value), Component.X87)));
  m.raiseIf(m.or(bad, m.ne(m.and(value, m.i64(~COMPONENTS)), 0)), Vec.GP, 0);
  m.put('xcr0', value);
  m.serialize();
});
enc('np 0f 01 d1', 'xsetbv', '', { feature: 'xsave', end: true });

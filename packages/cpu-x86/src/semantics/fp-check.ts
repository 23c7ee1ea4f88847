import type { Machine } from './machine.ts';
import { type Micro, micro } from './micro.ts';
import { isMem, type Operand } from './operand.ts';
import { Seg, Vec } from './vectors.ts';

const CR0 = { MP: 2, EM: 4, TS: 8, NE: 0x20 } as const;
const OSFXSR = 0x200;
const OSXMMEXCPT = 0x400;

/** #NM for CR0.EM or CR0.TS. */
function checkAvailable(m: Machine): void {
  m.once('x87', () => m.raiseIf(m.and(m.wrap(m.get('cr0')), CR0.EM | CR0.TS), Vec.NM));
}

/** #MF for a pending exception when CR0.NE is set. Any x87 instruction can make one pending, so this is no `once` check. */
function checkPending(m: Machine): void {
  // ES is bit 7 and NE bit 5
  m.raiseIf(m.and(m.and(m.shrU(m.get('fpuSw'), 2), m.wrap(m.get('cr0'))), CR0.NE), Vec.MF);
}

/** Checks of a waiting x87 instruction: #NM for CR0.EM or CR0.TS, then #MF for a pending exception when CR0.NE is set. */
export function checkX87(m: Machine): void {
  checkAvailable(m);
  checkPending(m);
}

/** Checks of a non-waiting control instruction: no #MF. */
export function checkX87NoWait(m: Machine): void {
  checkAvailable(m);
}

/** Checks of FWAIT: #NM only when both CR0.MP and CR0.TS are set. */
export function checkWait(m: Machine): void {
  const both = CR0.MP | CR0.TS;
  m.once('wait', () => m.raiseIf(m.eq(m.and(m.wrap(m.get('cr0')), both), both), Vec.NM));
  checkPending(m);
}

/** Checks of an MMX instruction: #UD for CR0.EM, #NM for CR0.TS, #MF for a pending x87 exception. */
export function checkMmx(m: Machine): void {
  m.once('mmx', () => {
    const cr0 = m.let(m.wrap(m.get('cr0')));
    m.if(
      m.and(cr0, CR0.EM | CR0.TS),
      () => {
        m.raiseIf(m.and(cr0, CR0.EM), Vec.UD);
        m.raise(Vec.NM);
      },
      undefined,
      false,
    );
  });
  checkPending(m);
}

/** Checks of an SSE instruction: #UD for CR0.EM or a clear CR4.OSFXSR, #NM for CR0.TS. */
export function checkSse(m: Machine): void {
  m.once('sse', () => {
    const cr0 = m.let(m.wrap(m.get('cr0')));
    const closed = m.let(m.xor(m.and(m.wrap(m.get('cr4')), OSFXSR), OSFXSR));
    m.if(
      m.or(m.and(cr0, CR0.EM | CR0.TS), closed),
      () => {
        m.raiseIf(m.or(m.and(cr0, CR0.EM), closed), Vec.UD);
        m.raise(Vec.NM);
      },
      undefined,
      false,
    );
  });
}

/** Moves the raised SIMD exceptions into MXCSR; returns 1 when one is unmasked. Operand exceptions hide those of the result. */
const noteSimdExceptions: Micro = micro('note_simd_exceptions', [], ['i32'], (m) => {
  const exc = m.let(m.get('fpExc'));
  m.put('fpExc', 0);
  const mxcsr = m.let(m.get('mxcsr'));
  const open = m.let(m.and(exc, m.xor(m.shrU(mxcsr, 7), 0x3f)));
  m.put('mxcsr', m.or(mxcsr, m.and(exc, m.select(m.and(open, 7), m.i32(7), 0x3f))));
  m.return(m.ne(m.and(open, 0x3f), 0));
});

/**
 * Statement after an SSE arithmetic operation and before its result is written: moves the raised exceptions into MXCSR and
 * raises #XM (#UD without CR4.OSXMMEXCPT) when one is unmasked.
 */
export function checkSimdExceptions(m: Machine): void {
  m.if(
    m.get('fpExc'),
    () => {
      const unmasked = m.let(m.invoke(noteSimdExceptions));
      m.mxcsrChanged();
      m.if(
        unmasked,
        () => {
          m.raiseIf(m.eqz(m.and(m.wrap(m.get('cr4')), OSXMMEXCPT)), Vec.UD);
          m.raise(Vec.XM);
        },
        undefined,
        false,
      );
    },
    undefined,
    false,
  );
}

/** Statement: records the x87 instruction and operand pointers. The data selector is taken to be DS. */
export function trackX87(m: Machine, op?: Operand): void {
  m.put('fpuFip', m.thisRip());
  m.put('fpuFcs', m.get('segSel', Seg.CS));
  if (op !== undefined && isMem(op)) {
    m.put('fpuFdp', m.ea(op));
    m.put('fpuFds', m.get('segSel', Seg.DS));
  }
}

import type { Val } from '@sterna/wasm';
import { enc } from '../decode/enc.ts';
import { def } from './def.ts';
import { checkSse, checkX87NoWait } from './fp-check.ts';
import {
  FX,
  MXCSR_MASK,
  readMxcsr,
  restoreX87,
  restoreXmm,
  saveMxcsr,
  saveX87,
  saveXmm,
  withImage,
} from './fx-image.ts';
import type { Machine } from './machine.ts';
import { Vec } from './vectors.ts';

type I = Val<'i32'>;

/** Number of XMM registers in the image: none when not enabled or skipped by EFER.FFXSR at CPL 0. */
function xmmCount(m: Machine): I {
  const enabled = m.and(m.wrap(m.get('cr4')), 0x200);
  const long = m.let(m.inLongMode());
  const fast = m.and(m.and(m.eqz(m.cpl()), long), m.and(m.shrU(m.wrap(m.get('efer')), 14), 1));
  return m.select(m.and(m.ne(enabled, 0), m.eqz(fast)), m.select(long, m.i32(16), 8), 0);
}

def('fxsave', (m, dst) => {
  checkX87NoWait(m);
  const at = m.linearAligned(dst!, FX.size, true);
  m.probeWrite(at, FX.size);
  withImage(m, at, FX.size, true, (image) => {
    saveX87(m, image);
    saveMxcsr(m, image);
    saveXmm(m, image, m.let(xmmCount(m)));
  });
});
enc('np 0f ae /0 mem', 'fxsave', 'Mx', { osz: true, feature: 'fxsr' });

def('fxrstor', (m, src) => {
  checkX87NoWait(m);
  const at = m.linearAligned(src!, FX.size);
  // both ends decide whether the image is there
  m.loadLinear(at, 8);
  m.loadLinear(m.add(at, FX.size - 1), 8);
  withImage(m, at, FX.size, false, (image) => {
    const mxcsr = readMxcsr(m, image);
    restoreX87(m, image);
    m.put('mxcsr', mxcsr);
    restoreXmm(m, image, m.let(xmmCount(m)));
  });
});
enc('np 0f ae /1 mem', 'fxrstor', 'Mx', { osz: true, feature: 'fxsr' });

def('ldmxcsr', (m, src) => {
  checkSse(m);
  const v = m.read(src!) as I;
  m.raiseIf(m.and(v, ~MXCSR_MASK), Vec.GP, 0);
  m.put('mxcsr', v);
});
enc('np 0f ae /2 mem', 'ldmxcsr', 'Md');
def('stmxcsr', (m, dst) => {
  checkSse(m);
  m.write(dst!, m.get('mxcsr'));
});
enc('np 0f ae /3 mem', 'stmxcsr', 'Md');

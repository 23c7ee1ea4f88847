import { enc } from '../../decode/enc.ts';
import { readTsc } from '../../interp/time.ts';
import { CR4 } from '../../system/bits.ts';
import { def } from '../def.ts';
import type { Machine } from '../machine.ts';
import { Reg, Vec } from '../vectors.ts';

/** EDX:EAX = timestamp counter, where CR4.TSD allows it. */
function readCounter(m: Machine): void {
  const denied = m.and(m.ne(m.cpl(), 0), m.ne(m.and(m.wrap(m.get('cr4')), CR4.TSD), 0));
  m.raiseIf(denied, Vec.GP, 0);
  const value = m.let(m.invoke<'i64'>(readTsc));
  m.put('regs', m.and(value, 0xffff_ffff), Reg.AX);
  m.put('regs', m.shrU(value, 32), Reg.DX);
}

def('rdtsc', readCounter);
enc('0f 31', 'rdtsc');

def('rdtscp', (m) => {
  readCounter(m);
  m.put('regs', m.and(m.get('tscAux'), 0xffff_ffff), Reg.CX);
});
enc('0f 01 f9', 'rdtscp', '', { feature: 'rdtscp' });

def('rdpid', (m, dst) => {
  const aux = m.let(m.and(m.get('tscAux'), 0xffff_ffff));
  m.write(dst, dst.bits === 64 ? aux : m.wrap(aux));
});
// always of the mode's full register width
enc('f3 0f c7 /7 reg', 'rdpid', 'Ry', { feature: 'rdpid', f64: true });

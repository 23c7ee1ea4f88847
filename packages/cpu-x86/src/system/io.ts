import { faultingMicro, type Micro } from '../semantics/micro.ts';
import { Vec } from '../semantics/vectors.ts';
import { CR4 } from './bits.ts';
import { iopl, protectedMode, SYSTEM, tableAddress, vm86 } from './common.ts';
import { notePort } from './debug.ts';

/**
 * Raises #GP(0) unless the current privilege may access `bytes` bytes at a port: CPL <= IOPL, else the I/O permission
 * bitmap of the TSS (SDM volume 1, 19.5). Parameters: port, bytes.
 */
export const ioCheck: Micro = faultingMicro('io_check', ['i32', 'i32'], (m) => {
  const port = m.param('i32', 0);
  m.if(
    m.get('debugActive'),
    () => {
      const on = m.and(m.wrap(m.get('cr4')), CR4.DE);
      m.if(on, () => m.do(m.functionOf(notePort), port, m.param('i32', 1)));
    },
    undefined,
    false,
  );
  m.if(m.eqz(protectedMode(m)), () => m.return(m.i32(0)));
  m.if(m.and(m.leU(m.cpl(), iopl(m)), m.eqz(vm86(m))), () => m.return(m.i32(0)), undefined, true);
  const limit = m.let(m.get('trLimit'));
  // only a present 32- or 64-bit TSS has a bitmap
  const usable = m.eq(m.and(m.get('trFlags'), 0x8900), 0x8900);
  m.raiseIf(m.or(m.eqz(usable), m.ltU(limit, 103)), Vec.GP, 0);
  const base = m.let(m.get('trBase'));
  const start = m.loadLinear(tableAddress(m, m.add(base, 0x66)), 16, SYSTEM);
  const at = m.let(m.add(start, m.shrU(port, 3)));
  // two bytes are always read: the bits of one access may straddle
  m.raiseIf(m.gtU(m.add(at, 1), limit), Vec.GP, 0);
  const bits = m.loadLinear(tableAddress(m, m.add(base, m.extU(at))), 16, SYSTEM);
  const wanted = m.sub(m.shl(m.i32(1), m.param('i32', 1)), 1);
  m.raiseIf(m.ne(m.and(m.shrU(bits, m.and(port, 7)), wanted), 0), Vec.GP, 0);
});

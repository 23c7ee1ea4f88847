import type { Val } from '@sterna/wasm';
import { enc } from '../../decode/enc.ts';
import { iopl, vm86 } from '../../system/common.ts';
import { popFlags, pushfImage } from '../../system/far-return.ts';
import { def } from '../def.ts';
import type { Machine } from '../machine.ts';
import { Flag, Shadow, Vec } from '../vectors.ts';

/** PUSHF and POPF are I/O-sensitive in VM86. */
function checkVm86(m: Machine): void {
  m.raiseIf(m.and(m.ne(vm86(m), 0), m.ne(iopl(m), 3)), Vec.GP, 0);
}

def('pushf', (m) => {
  checkVm86(m);
  const bits = m.variant.size;
  const image = m.let(pushfImage(m));
  m.push(bits, bits === 64 ? m.extU(image) : image);
});
def('popf', (m) => {
  checkVm86(m);
  const bits = m.variant.size;
  const value = m.peek(bits);
  m.setSp(m.add(m.sp(), bits / 8));
  const flags = bits === 64 ? m.wrap(value as Val<'i64'>) : (value as Val<'i32'>);
  m.do(m.functionOf(popFlags), flags, m.i32(bits));
  m.serialize();
});
enc('9c', 'pushf', '', { d64: true, osz: true });
enc('9d', 'popf', '', { d64: true, osz: true, end: true });

/** CLI and STI need CPL <= IOPL. */
function checkIopl(m: Machine): void {
  m.raiseIf(m.gtU(m.cpl(), iopl(m)), Vec.GP, 0);
}

def('cli', (m) => {
  checkIopl(m);
  m.put('eflags', m.and(m.get('eflags'), ~Flag.IF));
});
def('sti', (m) => {
  checkIopl(m);
  const old = m.let(m.get('eflags'));
  m.put('eflags', m.or(old, Flag.IF));
  m.if(m.eqz(m.and(old, Flag.IF)), () => m.put('shadow', Shadow.STI));
  m.serialize();
});
enc('fa', 'cli');
enc('fb', 'sti', '', { end: true });

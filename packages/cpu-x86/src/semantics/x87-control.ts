import type { Val } from '@sterna/wasm';
import { enc } from '../decode/enc.ts';
import {
  clearExceptions,
  fullTags,
  initFpu,
  loadControl,
  loadStatus,
  loadTags,
  statusWord,
} from '../fpu/x87-control.ts';
import { phys, updatePending } from '../fpu/x87-stack.ts';
import { def } from './def.ts';
import { checkWait, checkX87, checkX87NoWait } from './fp-check.ts';
import type { Machine } from './machine.ts';
import type { Micro } from './micro.ts';
import { Reg } from './vectors.ts';

type I = Val<'i32'>;
type L = Val<'i64'>;

function call(m: Machine, fn: Micro, ...args: Val[]): void {
  m.do(m.functionOf(fn), ...args);
}

def('fwait', (m) => checkWait(m));
enc('9b', 'fwait');
for (const [name, pattern, fn] of [
  ['fninit', 'db e3', initFpu],
  ['fnclex', 'db e2', clearExceptions],
] as const) {
  def(name, (m) => {
    checkX87NoWait(m);
    call(m, fn);
  });
  enc(pattern, name);
}
// 8087 and 80287 control instructions that do nothing since
def('fneni', (m) => checkX87NoWait(m));
for (const p of ['db e0', 'db e1', 'db e4']) enc(p, 'fneni');

def('fnstcw', (m, dst) => {
  checkX87NoWait(m);
  m.write(dst!, m.get('fpuCw'));
});
enc('d9 /7 mem', 'fnstcw', 'Mw');
def('fldcw', (m, src) => {
  checkX87(m);
  loadControl(m, m.read(src!) as I);
});
enc('d9 /5 mem', 'fldcw', 'Mw');
def('fnstsw', (m, dst) => {
  checkX87NoWait(m);
  m.write(dst!, m.let(m.invoke<'i32'>(statusWord)));
});
enc('dd /7 mem', 'fnstsw', 'Mw');
def('fnstsw_ax', (m) => {
  checkX87NoWait(m);
  m.setGpr(Reg.AX, 16, m.let(m.invoke<'i32'>(statusWord)));
});
enc('df e0', 'fnstsw_ax');

/** Whether pointers are stored as selectors and offsets (1) or as linear addresses (0: real mode, VM86). */
function selectorForm(m: Machine): I {
  return m.and(m.and(m.wrap(m.get('cr0')), m.eqz(m.and(m.get('eflags'), 0x2_0000))), 1);
}

/** Statement: stores the seven fields of the environment; the memory must have been probed. */
function storeEnvironment(m: Machine, at: L, wide: boolean): void {
  const bits = wide ? 32 : 16;
  const fields: I[] = [];
  const put = (v: I): void => {
    fields.push(m.let(v));
  };
  // unused halves of the 32-bit form read as ones
  const upper = wide ? 0xffff_0000 | 0 : 0;
  put(m.or(m.get('fpuCw'), upper));
  put(m.or(m.invoke<'i32'>(statusWord), upper));
  put(m.or(m.invoke<'i32'>(fullTags), upper));
  const ip = m.let(m.wrap(m.get('fpuFip')));
  const dp = m.let(m.wrap(m.get('fpuFdp')));
  const [p1, p2, p3, p4] = [m.local('i32'), m.local('i32'), m.local('i32'), m.local('i32')];
  const fop = m.let(m.get('fpuFop'));
  m.if(
    selectorForm(m),
    () => {
      m.set(p1, ip);
      m.set(p2, wide ? m.or(m.get('fpuFcs'), m.shl(fop, 16)) : m.get('fpuFcs'));
      m.set(p3, dp);
      m.set(p4, m.or(m.get('fpuFds'), upper));
    },
    () => {
      const linearIp = m.let(m.add(ip, m.shl(m.get('fpuFcs'), 4)));
      const linearDp = m.let(m.add(dp, m.shl(m.get('fpuFds'), 4)));
      m.set(p1, m.or(m.and(linearIp, 0xffff), upper));
      m.set(p3, m.or(m.and(linearDp, 0xffff), upper));
      if (wide) {
        m.set(p2, m.or(fop, m.shrU(m.and(linearIp, 0xffff_0000 | 0), 4)));
        m.set(p4, m.shrU(m.and(linearDp, 0xffff_0000 | 0), 4));
      } else {
        m.set(p2, m.or(fop, m.and(m.shrU(linearIp, 4), 0xf000)));
        m.set(p4, m.and(m.shrU(linearDp, 4), 0xf000));
      }
    },
  );
  for (const [i, v] of [...fields, p1, p2, p3, p4].entries()) m.storeLinear(m.add(at, (i * bits) / 8), bits, v);
}

/** The environment read from memory; {@link commitEnvironment} makes it current. */
function readEnvironment(m: Machine, at: L, wide: boolean): I[] {
  const bits = wide ? 32 : 16;
  return Array.from({ length: 7 }, (_, i) => m.loadLinear(m.add(at, (i * bits) / 8), bits) as I);
}

function commitEnvironment(m: Machine, e: readonly I[], wide: boolean): void {
  const [cw, sw, tags, p1, p2, p3, p4] = e as [I, I, I, I, I, I, I];
  m.put('fpuTop', 0);
  loadStatus(m, sw);
  loadControl(m, cw);
  call(m, loadTags, m.and(tags, 0xffff));
  m.if(
    selectorForm(m),
    () => {
      m.put('fpuFip', m.extU(p1));
      m.put('fpuFcs', m.and(p2, 0xffff));
      m.put('fpuFdp', m.extU(p3));
      m.put('fpuFds', m.and(p4, 0xffff));
      if (wide) m.put('fpuFop', m.and(m.shrU(p2, 16), 0x7ff));
    },
    () => {
      const high = (v: I): I => (wide ? m.shl(m.and(v, 0x0fff_f000), 4) : m.shl(m.and(v, 0xf000), 4));
      m.put('fpuFip', m.extU(m.or(m.and(p1, 0xffff), high(p2))));
      m.put('fpuFdp', m.extU(m.or(m.and(p3, 0xffff), high(p4))));
      m.put('fpuFcs', 0);
      m.put('fpuFds', 0);
      m.put('fpuFop', m.and(p2, 0x7ff));
    },
  );
}

const isWide = (m: Machine): boolean => m.variant.size !== 16;

def('fnstenv', (m, dst) => {
  checkX87NoWait(m);
  const wide = isWide(m);
  const bytes = wide ? 28 : 14;
  const at = m.linear(dst!, bytes, true);
  m.probeWrite(at, bytes);
  storeEnvironment(m, at, wide);
  m.put('fpuCw', m.or(m.get('fpuCw'), 0x3f));
  updatePending(m);
});
enc('d9 /6 mem', 'fnstenv', 'Mx', { osz: true });

def('fldenv', (m, src) => {
  checkX87(m);
  const wide = isWide(m);
  const at = m.linear(src!, wide ? 28 : 14);
  commitEnvironment(m, readEnvironment(m, at, wide), wide);
});
enc('d9 /4 mem', 'fldenv', 'Mx', { osz: true });

def('fnsave', (m, dst) => {
  checkX87NoWait(m);
  const wide = isWide(m);
  const head = wide ? 28 : 14;
  const at = m.linear(dst!, head + 80, true);
  m.probeWrite(at, head + 80);
  storeEnvironment(m, at, wide);
  eachRegister(m, m.let(m.add(at, head)), (place, p) => {
    m.storeLinear(place, 64, m.let(m.get('fpMant', p)));
    m.storeLinear(m.add(place, 8), 16, m.let(m.get('fpExp', p)));
  });
  call(m, initFpu);
});
enc('dd /6 mem', 'fnsave', 'Mx', { osz: true });

def('frstor', (m, src) => {
  checkX87(m);
  const wide = isWide(m);
  const head = wide ? 28 : 14;
  const at = m.linear(src!, head + 80);
  const env = readEnvironment(m, at, wide);
  // the last byte decides whether the rest of the image is there
  m.loadLinear(m.add(at, head + 79), 8);
  commitEnvironment(m, env, wide);
  eachRegister(m, m.let(m.add(at, head)), (place, p) => {
    m.put('fpMant', m.loadLinear(place, 64), p);
    m.put('fpExp', m.loadLinear(m.add(place, 8), 16), p);
  });
});
enc('dd /4 mem', 'frstor', 'Mx', { osz: true });

/** Runs code for ST(0)-ST(7), ten bytes apart; `p` is the physical register. */
function eachRegister(m: Machine, start: L, fn: (place: L, p: I) => void): void {
  const i = m.local('i32');
  m.set(i, m.i32(0));
  m.loop((again) => {
    const place = m.let(m.add(start, m.extU(m.mul(i, 10))));
    fn(place, m.let(phys(m, i)));
    m.set(i, m.add(i, 1));
    m.brIf(again, m.ltU(i, 8));
  });
}

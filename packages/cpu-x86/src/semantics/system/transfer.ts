import type { Val } from '@sterna/wasm';
import { enc } from '../../decode/enc.ts';
import { iopl, vm86 } from '../../system/common.ts';
import { deliverEvent, KIND_SOFT } from '../../system/deliver.ts';
import { farCall, farJump } from '../../system/far.ts';
import { farReturn, interruptReturn } from '../../system/far-return.ts';
import { syscall, sysenter, sysexit, sysret } from '../../system/syscall.ts';
import { def } from '../def.ts';
import type { Machine } from '../machine.ts';
import type { Operand } from '../operand.ts';
import { Flag, Vec } from '../vectors.ts';
import { finishFar } from './finish.ts';

/** Selector and offset of a far pointer operand, immediate or in memory. */
function target(m: Machine, op: Operand): [Val<'i32'>, Val<'i64'>] {
  if (op.kind === 'far') return [m.farSelector(op), m.farOffset(op)];
  const bits = m.variant.size;
  const at = m.linear(op);
  const offset = m.loadLinear(at, bits) as Val;
  const selector = m.loadLinear(m.add(at, bits / 8), 16);
  return [selector, bits === 64 ? (offset as Val<'i64'>) : m.let(m.extU(offset as Val<'i32'>))];
}

def('jmp_far', (m, op) => {
  const [selector, offset] = target(m, op);
  m.invoke(farJump, selector, offset, m.nextRip());
  finishFar(m);
});
def('call_far', (m, op) => {
  const [selector, offset] = target(m, op);
  m.invoke(farCall, selector, offset, m.nextRip(), m.i32(m.variant.size / 8));
  finishFar(m);
});
enc('ea', 'jmp_far', 'Ap', { mode: 'no64', osz: true, end: true });
enc('9a', 'call_far', 'Ap', { mode: 'no64', osz: true, end: true });
enc('ff /5 mem', 'jmp_far', 'Mp', { end: true });
enc('ff /3 mem', 'call_far', 'Mp', { end: true });

def('retf', (m, drop) => {
  const bytes = drop === undefined ? m.i32(0) : (m.read(drop) as Val<'i32'>);
  m.invoke(farReturn, m.i32(m.variant.size / 8), bytes);
  finishFar(m);
});
enc('ca', 'retf', 'Iw', { osz: true, end: true });
enc('cb', 'retf', '', { osz: true, end: true });

def('iret', (m) => {
  m.invoke(interruptReturn, m.i32(m.variant.size / 8), m.nextRip());
  finishFar(m);
});
enc('cf', 'iret', '', { osz: true, end: true });

/** Delivers a software interrupt: the gate's DPL is checked, the return address is the next instruction. */
function soft(m: Machine, vector: Val<'i32'>, kind: number): void {
  m.invoke(deliverEvent, vector, m.i32(kind), m.i32(0), m.nextRip());
  m.refetch();
}

def('int', (m, vector) => {
  m.raiseIf(m.and(m.ne(vm86(m), 0), m.ne(iopl(m), 3)), Vec.GP, 0);
  soft(m, m.read(vector) as Val<'i32'>, KIND_SOFT);
});
def('int3', (m) => soft(m, m.i32(Vec.BP), KIND_SOFT));
def('into', (m) => {
  m.if(m.cond(0), () => soft(m, m.i32(Vec.OF), KIND_SOFT));
});
/** DR6.BS: a single step. */
const DR6_BS = 0x4000;

// INT1 is a #DB from outside the program: no privilege check. It takes along what a load of SS before it has met, but not
// that one's single-step trap, which is lost
def('int1', (m) => {
  m.put('dr', m.or(m.get('dr', 6), m.extU(m.and(m.get('watchHit'), ~DR6_BS))), 6);
  m.put('watchHit', 0);
  soft(m, m.i32(Vec.DB), 0);
});
enc('cd', 'int', 'Ib', { end: true });
enc('cc', 'int3', '', { end: true });
enc('ce', 'into', '', { mode: 'no64' });
enc('f1', 'int1', '', { end: true });

def('syscall', (m) => {
  m.invoke(syscall, m.nextRip());
  m.refetch();
});
def('sysret', (m) => {
  m.invoke(sysret, m.i32(m.variant.size === 64 ? 1 : 0));
  m.refetch();
});
def('sysenter', (m) => {
  m.invoke(sysenter);
  m.refetch();
});
def('sysexit', (m) => {
  m.invoke(sysexit, m.i32(m.variant.size === 64 ? 1 : 0));
  m.refetch();
});
enc('0f 05', 'syscall', '', { end: true });
enc('0f 07', 'sysret', '', { osz: true, end: true });
enc('0f 34', 'sysenter', '', { end: true });
enc('0f 35', 'sysexit', '', { osz: true, end: true });

/** Bits that the flag instructions look at. */
export const INTERRUPT_FLAG: number = Flag.IF;

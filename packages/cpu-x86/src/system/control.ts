import type { Val } from '@sterna/wasm';
import { apicBaseRead, cr8Read, cr8Write } from '../interp/host.ts';
import { flushTlb, flushTlbNonGlobal } from '../interp/tlb.ts';
import type { Machine } from '../semantics/machine.ts';
import { faultingMicro, type Micro } from '../semantics/micro.ts';
import { Vec } from '../semantics/vectors.ts';
import { CR0, CR4, Desc, DR7_GD, EFER } from './bits.ts';
import { updateMode } from './mode.ts';

/** CR4 bits that change how linear addresses are translated. */
const CR4_PAGING = CR4.PSE | CR4.PAE | CR4.PGE | CR4.PCIDE | CR4.SMEP | CR4.SMAP | CR4.PKE | CR4.PKS;
/** CR3 bits above the 40 physical address bits. */
const CR3_RESERVED = -(1n << 40n);
/** CR3 bit 63: with CR4.PCIDE, translations of the new context may be kept. They are dropped all the same. */
const CR3_KEEP = 1n << 63n;
const DR6_ONES = 0xffff_0ff0;
const DR7_ONES = 0x400;
/** DR6.BD: the trap that DR7.GD causes. */
const DR6_BD = 0x2000;

/** Raises #GP(0) unless CPL is 0. */
export function requireCpl0(m: Machine): void {
  m.raiseIf(m.ne(m.cpl(), 0), Vec.GP, 0);
}

/** Raises #GP(0) above CPL 0 while CR4.UMIP hides the system registers. */
export function checkHidden(m: Machine): void {
  const hidden = m.and(m.wrap(m.get('cr4')), CR4.UMIP);
  m.raiseIf(m.and(m.ne(hidden, 0), m.ne(m.cpl(), 0)), Vec.GP, 0);
}

/** Writes CR0 with all consistency checks (SDM volume 3, 2.5 and 9.8.5). */
export const writeCr0: Micro = faultingMicro('write_cr0', ['i64'], (m) => {
  const value = m.param('i64', 0);
  const low = m.let(m.or(m.wrap(value), CR0.ET));
  const old = m.let(m.wrap(m.get('cr0')));
  const efer = m.let(m.wrap(m.get('efer')));
  const has = (bit: number): Val<'i32'> => m.ne(m.and(low, bit), 0);
  const bad = m.or(
    m.ne(m.shrU(value, 32), 0),
    m.or(m.and(has(CR0.PG), m.eqz(has(CR0.PE))), m.and(has(CR0.NW), m.eqz(has(CR0.CD)))),
  );
  m.raiseIf(bad, Vec.GP, 0);
  const changed = m.let(m.xor(low, old));
  m.if(m.and(changed, CR0.PG | 0), () => {
    const long64 = m.and(m.get('segFlags', 1), Desc.L);
    m.if(
      has(CR0.PG),
      () =>
        m.if(m.and(efer, EFER.LME), () => {
          m.raiseIf(m.eqz(m.and(m.wrap(m.get('cr4')), CR4.PAE)), Vec.GP, 0);
          m.raiseIf(long64, Vec.GP, 0);
          m.put('efer', m.or(m.get('efer'), EFER.LMA));
        }),
      () => {
        m.raiseIf(m.or(m.inLongMode(), m.and(m.wrap(m.get('cr4')), CR4.PCIDE)), Vec.GP, 0);
        m.put('efer', m.and(m.get('efer'), ~EFER.LMA));
      },
    );
  });
  m.put('cr0', m.extU(low));
  m.if(m.and(changed, CR0.PG | CR0.WP | CR0.PE | 0), () => m.invoke(flushTlb));
  m.invoke(updateMode);
});

const writeCr3: Micro = faultingMicro('write_cr3', ['i64'], (m) => {
  const value = m.param('i64', 0);
  const long = m.ne(m.and(m.wrap(m.get('efer')), EFER.LMA), 0);
  m.if(m.and(m.wrap(m.get('cr4')), CR4.PCIDE), () => m.set(value, m.and(value, m.i64(~CR3_KEEP))), undefined, false);
  m.raiseIf(m.and(long, m.ne(m.and(value, m.i64(CR3_RESERVED)), 0)), Vec.GP, 0);
  m.put('cr3', value);
  m.if(m.and(m.wrap(m.get('cr0')), CR0.PG | 0), () => m.invoke(flushTlbNonGlobal));
});

const writeCr4: Micro = faultingMicro('write_cr4', ['i64'], (m) => {
  const value = m.param('i64', 0);
  m.raiseIf(m.ne(m.and(value, m.not(m.get('cr4Valid'))), 0), Vec.GP, 0);
  const low = m.let(m.wrap(value));
  const long = m.ne(m.and(m.wrap(m.get('efer')), EFER.LMA), 0);
  m.raiseIf(m.and(long, m.eqz(m.and(low, CR4.PAE))), Vec.GP, 0);
  const changed = m.let(m.xor(low, m.wrap(m.get('cr4'))));
  const pcid = m.and(m.and(changed, low), CR4.PCIDE);
  const ready = m.and(long, m.eqz(m.and(m.wrap(m.get('cr3')), 0xfff)));
  m.raiseIf(m.and(m.ne(pcid, 0), m.eqz(ready)), Vec.GP, 0);
  m.put('cr4', value);
  m.if(m.and(changed, CR4_PAGING), () => m.invoke(flushTlb));
  m.invoke(updateMode);
});

/** Writes a control register by number; #UD for one that does not exist. */
export const writeCr: Micro = faultingMicro('write_cr', ['i32', 'i64'], (m) => {
  const n = m.param('i32', 0);
  const value = m.param('i64', 1);
  const when = (number: number, fn: () => void): void =>
    m.if(m.eq(n, number), () => {
      fn();
      m.return(m.i32(0));
    });
  when(0, () => m.invoke(writeCr0, value));
  when(2, () => m.put('cr2', value));
  when(3, () => m.invoke(writeCr3, value));
  when(4, () => m.invoke(writeCr4, value));
  when(8, () => {
    m.raiseIf(m.ne(m.and(value, m.i64(~15n)), 0), Vec.GP, 0);
    m.hostCall(cr8Write, m.wrap(value));
  });
  m.raise(Vec.UD);
});

/** Reads a control register by number into temp[0]; #UD for one that does not exist. */
export const readCr: Micro = faultingMicro('read_cr', ['i32'], (m) => {
  const n = m.param('i32', 0);
  const when = (number: number, value: () => Val<'i64'>): void =>
    m.if(m.eq(n, number), () => {
      m.put('temp', value(), 0);
      m.return(m.i32(0));
    });
  when(0, () => m.get('cr0'));
  when(2, () => m.get('cr2'));
  when(3, () => m.get('cr3'));
  when(4, () => m.get('cr4'));
  when(8, () => m.extU(m.hostCall(cr8Read)));
  m.raise(Vec.UD);
});

/** Debug register number with the aliases of DR4 and DR5 resolved; raises #UD, or #DB when DR7.GD guards them. */
function debugRegister(m: Machine, n: Val<'i32'>): Val<'i32'> {
  const number = m.local('i32');
  m.set(number, n);
  m.if(m.eq(m.and(n, 14), 4), () => {
    m.raiseIf(m.ne(m.and(m.wrap(m.get('cr4')), CR4.DE), 0), Vec.UD);
    m.set(number, m.add(n, 2));
  });
  m.raiseIf(m.gtU(n, 7), Vec.UD);
  m.if(m.and(m.wrap(m.get('dr', 7)), DR7_GD), () => {
    m.put('dr', m.and(m.get('dr', 7), ~DR7_GD), 7);
    m.put('dr', m.or(m.get('dr', 6), DR6_BD), 6);
    m.raise(Vec.DB);
  });
  return number;
}

/** Writes a debug register: (number, value). */
export const writeDr: Micro = faultingMicro('write_dr', ['i32', 'i64'], (m) => {
  const number = debugRegister(m, m.param('i32', 0));
  const value = m.param('i64', 1);
  m.raiseIf(m.and(m.geU(number, 6), m.ne(m.shrU(value, 32), 0)), Vec.GP, 0);
  const fixed = m.local('i64');
  m.set(fixed, value);
  m.if(m.eq(number, 6), () => m.set(fixed, m.or(value, DR6_ONES)));
  m.if(m.eq(number, 7), () => m.set(fixed, m.or(value, DR7_ONES)));
  m.put('dr', fixed, number);
  m.invoke(updateMode);
});

/** Reads a debug register into temp[0]. */
export const readDr: Micro = faultingMicro('read_dr', ['i32'], (m) => {
  const number = debugRegister(m, m.param('i32', 0));
  m.put('temp', m.get('dr', number), 0);
});

/** Bit 11 of the APIC base register: the APIC is enabled. */
export function apicEnabled(m: Machine): Val<'i32'> {
  return m.and(m.shrU(m.hostCall(apicBaseRead), 11), 1);
}

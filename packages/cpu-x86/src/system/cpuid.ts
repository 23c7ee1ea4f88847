import type { Val } from '@sterna/wasm';
import { CPUID_ROW } from '../models/cpuid-table.ts';
import { type Micro, micro } from '../semantics/micro.ts';
import { Reg } from '../semantics/vectors.ts';
import { CR4 } from './bits.ts';
import { apicEnabled } from './control.ts';

/** CPUID.1:EDX bit 9 (and its copy in 8000_0001): a local APIC is there and enabled. */
const APIC_FEATURE = 0x200;
/** CPUID.1:ECX bit 27: CR4.OSXSAVE as programs see it. */
const OSXSAVE = 0x800_0000;
/** CPUID.7:ECX bit 4: CR4.PKE as programs see it. */
const OSPKE = 0x10;
/** Subleaf number of a row that matches any ECX. */
const ANY = -1;

/** CPUID: looks EAX and ECX up in the model's table and writes EAX, EBX, ECX and EDX. */
export const cpuid: Micro = micro('cpuid', [], [], (m) => {
  const leaf = m.local('i32');
  m.set(leaf, m.wrap(m.get('regs', Reg.AX)));
  const sub = m.let(m.wrap(m.get('regs', Reg.CX)));
  // Out-of-range leaves of each range read like the highest basic one
  const low = m.and(m.ltU(leaf, 0x4000_0000), m.gtU(leaf, m.get('cpuidMaxBasic')));
  const middle = m.and(m.eq(m.shrU(leaf, 28), 4), m.gtU(leaf, m.get('cpuidMaxHypervisor')));
  const high = m.and(m.geU(leaf, 0x8000_0000 | 0), m.gtU(leaf, m.get('cpuidMaxExtended')));
  const nowhere = m.and(m.ltU(leaf, 0x8000_0000 | 0), m.gtU(leaf, 0x4fff_ffff));
  m.if(m.or(m.or(low, middle), m.or(high, nowhere)), () => m.set(leaf, m.get('cpuidMaxBasic')));
  const row = m.local('i32');
  const found = m.local('i32');
  const field = (i: number): Val<'i32'> => m.get('cpuidTable', m.add(row, i));
  m.block((done) => {
    m.loop((again) => {
      m.brIf(done, m.geU(row, m.mul(m.get('cpuidCount'), CPUID_ROW)));
      const match = m.and(m.eq(field(0), leaf), m.or(m.eq(field(1), ANY), m.eq(field(1), sub)));
      m.if(match, () => {
        m.set(found, 1);
        m.br(done);
      });
      m.set(row, m.add(row, CPUID_ROW));
      m.br(again);
    });
  });
  m.if(
    found,
    () => {
      const edx = m.local('i32');
      m.set(edx, field(5));
      m.if(m.eq(m.and(leaf, 0x7fff_ffff), 1), () => {
        m.if(m.eqz(apicEnabled(m)), () => m.set(edx, m.and(edx, ~APIC_FEATURE)));
      });
      const ecx = m.local('i32');
      m.set(ecx, field(4));
      const cr4 = m.let(m.wrap(m.get('cr4')));
      m.if(m.eq(leaf, 1), () => m.if(m.and(cr4, CR4.OSXSAVE), () => m.set(ecx, m.or(ecx, OSXSAVE))));
      m.if(m.eq(leaf, 7), () => m.if(m.and(cr4, CR4.PKE), () => m.set(ecx, m.or(ecx, OSPKE))));
      m.put('regs', m.extU(field(2)), Reg.AX);
      m.put('regs', m.extU(field(3)), Reg.BX);
      // a row for any subleaf that echoes it: topology leaves beyond their last level
      m.put('regs', m.extU(m.or(ecx, m.select(field(6), m.and(sub, 0xff), 0))), Reg.CX);
      m.put('regs', m.extU(edx), Reg.DX);
    },
    () => {
      for (const r of [Reg.AX, Reg.BX, Reg.CX, Reg.DX]) m.put('regs', 0, r);
    },
  );
});

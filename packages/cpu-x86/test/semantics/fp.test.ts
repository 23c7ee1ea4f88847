import { describe, expect, it } from 'vitest';
import { Rig } from '../rig.ts';
import { CODE, type Outcome, runSnippet, type Snippet } from '../snippet.ts';

const DATA = 0x4000;
const IDT = 0x6000;

/** Runs code with rBX at the data. */
const run = (code: string, more: Partial<Snippet> = {}): Outcome => runSnippet({ code, regs: { rbx: DATA }, ...more });

/** Runs code on a rig with gates and reports the vector taken, or -1 when the HLT after the code was reached. */
function fault(code: string, prepare: (rig: Rig) => void = () => {}, memory: Record<number, string> = {}): number {
  const rig = new Rig();
  const { cpu } = rig;
  rig.mode(64);
  const bytes = (text: string): Uint8Array =>
    Uint8Array.from(text.replace(/\s/g, '').match(/../g) ?? [], (b) => Number.parseInt(b, 16));
  rig.bytes.set(bytes(`${code} f4`), rig.at(CODE));
  for (const [at, data] of Object.entries(memory)) rig.bytes.set(bytes(data), rig.at(Number(at)));
  for (let v = 0; v < 32; v++) {
    const gate = rig.at(IDT + v * 16);
    rig.view.setUint32(gate, (0x10 << 16) | (0x7000 + v * 16), true);
    rig.view.setUint32(gate + 4, 0x8e00, true);
    rig.bytes[rig.at(0x7000 + v * 16)] = 0xf4;
  }
  // a flat 64-bit code segment for the gates
  rig.view.setBigUint64(rig.at(0x6800 + 0x10), 0x00af9b000000ffffn, true);
  cpu.state.setBig('gdtBase', 0x6800n);
  cpu.state.set('gdtLimit', 0x1f);
  cpu.state.setBig('idtBase', BigInt(IDT));
  cpu.state.set('idtLimit', 0x1ff);
  cpu.state.setBig('regs', 0x8000n, 4);
  cpu.state.setBig('regs', BigInt(DATA), 3);
  cpu.state.setBig('rip', BigInt(CODE));
  cpu.rflags = 2;
  cpu.state.set('fpuCw', 0x37f);
  cpu.state.set('mxcsr', 0x1f80);
  prepare(rig);
  cpu.run(1000);
  const rip = Number(cpu.state.getBig('rip'));
  return rip >= 0x7000 && rip < 0x7200 ? (rip - 0x7000) >> 4 : -1;
}

const cr0 =
  (bits: bigint) =>
  (rig: Rig): void => {
    rig.cpu.state.setBig('cr0', rig.cpu.state.getBig('cr0') | bits);
    rig.cpu.stateChanged();
  };

describe('availability', () => {
  it('raises #NM for CR0.TS and CR0.EM on x87', () => {
    expect(fault('d9e8')).toBe(-1);
    expect(fault('d9e8', cr0(8n))).toBe(7);
    expect(fault('d9e8', cr0(4n))).toBe(7);
  });
  it('lets FWAIT pass CR0.TS unless CR0.MP is set', () => {
    const only =
      (bits: bigint) =>
      (rig: Rig): void => {
        rig.cpu.state.setBig('cr0', (0x31n & ~2n) | bits);
        rig.cpu.stateChanged();
      };
    expect(fault('9b', only(8n))).toBe(-1);
    expect(fault('9b', only(10n))).toBe(7);
  });
  it('raises #UD for CR0.EM or a clear CR4.OSFXSR and #NM for CR0.TS on SSE', () => {
    expect(fault('0f58c1')).toBe(-1);
    expect(fault('0f58c1', cr0(4n))).toBe(6);
    expect(fault('0f58c1', cr0(8n))).toBe(7);
    expect(fault('0f58c1', (rig) => rig.cpu.state.setBig('cr4', 0x400n))).toBe(6);
    expect(fault('0ffcc1', cr0(4n))).toBe(6);
    expect(fault('0ffcc1', cr0(8n))).toBe(7);
  });
  it('raises #GP for misaligned and reserved', () => {
    expect(fault('0f284301')).toBe(13);
    expect(fault('0f284300')).toBe(-1);
    expect(fault('0fae4308')).toBe(13);
    // LDMXCSR with bit 16
    expect(fault('0fae13', () => {}, { [DATA]: '801f0100' })).toBe(13);
    // FXRSTOR of the same
    expect(fault('0fae0b', () => {}, { [DATA + 24]: '801f0100' })).toBe(13);
  });
});

describe('exceptions', () => {
  it('delivers #MF at the next waiting instruction', () => {
    // FLDCW with ZM clear; 1 / 0; FNSTSW does not wait; FLDZ does
    expect(fault('d92b d9e8 d9ee def9 9b', () => {}, { [DATA]: '7b03' })).toBe(16);
    expect(fault('d92b d9e8 d9ee def9 dfe0', () => {}, { [DATA]: '7b03' })).toBe(-1);
    expect(fault('d92b d9e8 d9ee def9 dbe2 d9ee', () => {}, { [DATA]: '7b03' })).toBe(-1);
    expect(fault('d92b d9e8 d9ee def9 0f77', () => {}, { [DATA]: '7b03' })).toBe(16);
  });
  it('raises #XM for unmasked SIMD exceptions, #UD without OSXMMEXCPT, and leaves the destination', () => {
    const unmasked = (rig: Rig): void => rig.cpu.state.set('mxcsr', 0x1d80);
    expect(fault('f20f5ec1', unmasked)).toBe(-1);
    const nonzero = (rig: Rig): void => {
      unmasked(rig);
      rig.cpu.state.setBig('xmm', 0x3ff0_0000_0000_0000n, 0);
    };
    expect(fault('f20f5ec1', nonzero)).toBe(19);
    let seen: Rig | undefined;
    const noXmm = (rig: Rig): void => {
      nonzero(rig);
      rig.cpu.state.setBig('cr4', 0x200n);
      seen = rig;
    };
    expect(fault('f20f5ec1', noXmm)).toBe(6);
    expect(seen!.cpu.state.getBig('xmm', 0)).toBe(0x3ff0_0000_0000_0000n);
    expect(seen!.cpu.state.get('mxcsr')).toBe(0x1d84);
  });
});

describe('images', () => {
  const PI = '35c26821a2da0fc90040';
  it('FNSTENV stores fourteen or twenty-eight bytes and masks exceptions', () => {
    // FNINIT; FLDPI; FLDZ; FNSTENV [rbx]
    const o = run('dbe3 d9eb d9ee d933');
    expect(o.bytes(DATA, 12)).toBe('7f03ffff0030ffffff1fffff');
    const o16 = run('dbe3 d9eb d9ee 66d933');
    expect(o16.bytes(DATA, 6)).toBe('7f030030ff1f');
  });
  it('FNSAVE and FRSTOR carry everything, and FNSAVE initialises', () => {
    const o = run('dbe3 d9eb d9e8 dd33 9bdfe0 89c1 dd23 dfe0');
    expect(o.reg('rcx') & 0xffffn).toBe(0n);
    expect(o.reg('rax') & 0x3800n).toBe(0x3000n);
    expect(o.bytes(DATA + 28, 20)).toBe(`0000000000000080ff3f${PI}`);
    expect(o.rig.cpu.state.get('fpuTags')).toBe(0xc0);
  });
  it('FXSAVE and FXRSTOR carry everything', () => {
    // FNINIT; FLDPI; MOVD xmm9, ebx; FXSAVE64 [rbx]; FNINIT; XORPS; FXRSTOR64 [rbx]
    const o = run('dbe3 d9eb 66440f6ecb 48 0fae03 dbe3 450f57c9 48 0fae0b');
    expect(o.bytes(DATA, 6)).toBe('7f0300388000');
    expect(o.bytes(DATA + 32, 16)).toBe(`${PI}000000000000`);
    expect(o.bytes(DATA + 28, 4)).toBe('ffff0000');
    expect(o.bytes(DATA + 160 + 9 * 16, 16)).toBe('00400000000000000000000000000000');
    expect(o.rig.cpu.state.getBig('xmm', 9)).toBe(0x4000n);
    expect(o.rig.cpu.state.get('fpuTop')).toBe(7);
    expect(o.rig.cpu.state.get('fpuTags')).toBe(0x80);
    expect(o.rig.cpu.state.getBig('fpMant', 7)).toBe(0xc90f_daa2_2168_c235n);
  });
  it('outside 64-bit mode holds eight registers', () => {
    const memory = { [DATA + 160 + 8 * 16]: 'aa' };
    const o = run('0fae03', { mode: 32, memory });
    expect(o.bytes(DATA + 160 + 8 * 16, 1)).toBe('aa');
  });
});

describe('masked stores', () => {
  it('MASKMOVDQU writes chosen bytes to DS:rDI', () => {
    const o = run('f30f6f03 f30f6f4b10 660ff7c1', {
      regs: { rbx: DATA, rdi: DATA + 0x41 },
      memory: { [DATA]: '000102030405060708090a0b0c0d0e0f', [DATA + 16]: '80007fff000000000000000000000080' },
    });
    expect(o.bytes(DATA + 0x41, 16)).toBe('0000000300000000000000000000000f');
  });
});

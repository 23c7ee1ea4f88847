import { describe, expect, test } from 'vitest';
import { Rig } from '../rig.ts';

const CODE = 0x1000;
const AREA = 0x4000;
const OSXSAVE = 0x4_0000n;

/** A processor in 64-bit mode at CPL 0 with XSAVE enabled, RSI at the area and EDX:EAX asking for `mask`. */
function start(code: readonly number[], mask = 3): Rig {
  const rig = new Rig();
  const { cpu } = rig;
  rig.mode(64);
  rig.bytes.set([...code, 0xf4], rig.at(CODE));
  const s = cpu.state;
  s.setBig('rip', BigInt(CODE));
  s.setBig('cr4', s.getBig('cr4') | OSXSAVE | 0x600n);
  s.setBig('xcr0', 3n);
  s.setBig('regs', BigInt(mask), 0);
  s.setBig('regs', BigInt(AREA), 6);
  s.set('mxcsr', 0x1f80);
  s.set('fpuCw', 0x37f);
  cpu.stateChanged();
  return rig;
}
const XSAVE = [0x48, 0x0f, 0xae, 0x26];
const XRSTOR = [0x48, 0x0f, 0xae, 0x2e];
const XGETBV = [0x0f, 0x01, 0xd0];
const XSETBV = [0x0f, 0x01, 0xd1];
const word = (rig: Rig, at: number): bigint => rig.view.getBigUint64(rig.at(AREA + at), true);
/** Exit reason: 1 its HLT, 2 shut down, since no exception has a handler. */
const run = (rig: Rig): number => rig.cpu.run(100);

describe('XSAVE', () => {
  test('saves what is asked for and restores it', () => {
    const rig = start(XSAVE);
    const s = rig.cpu.state;
    s.setBig('xmm', 0x1122_3344_5566_7788n, 15);
    s.setBig('fpMant', 0xc000_0000_0000_0000n, 2);
    s.set('fpExp', 0x3fff, 2);
    s.set('fpuTop', 2);
    s.set('fpuTags', 4);
    expect(run(rig)).toBe(1);
    expect(word(rig, 512)).toBe(3n);
    expect(word(rig, 32)).toBe(0xc000_0000_0000_0000n);
    expect(word(rig, 160 + 15 * 16)).toBe(0x1122_3344_5566_7788n);
    const other = start(XRSTOR);
    other.bytes.set(rig.bytes.subarray(rig.at(AREA), rig.at(AREA) + 576), other.at(AREA));
    expect(run(other)).toBe(1);
    const t = other.cpu.state;
    expect(t.getBig('xmm', 15)).toBe(0x1122_3344_5566_7788n);
    expect([t.get('fpuTop'), t.get('fpuTags'), t.getBig('fpMant', 2)]).toEqual([2, 4, 0xc000_0000_0000_0000n]);
  });
  test('leaves components alone that were not asked for', () => {
    const rig = start(XSAVE, 2);
    rig.view.setBigUint64(rig.at(AREA), 0x5555n, true);
    rig.view.setBigUint64(rig.at(AREA + 512), 1n, true);
    expect(run(rig)).toBe(1);
    expect([word(rig, 0), word(rig, 512)]).toEqual([0x5555n, 3n]);
  });
  test('XRSTOR puts components that are absent into their first state, and takes MXCSR all the same', () => {
    const rig = start(XRSTOR);
    const s = rig.cpu.state;
    rig.view.setUint32(rig.at(AREA + 24), 0x1fa0, true);
    s.setBig('xmm', 77n, 3);
    s.set('fpuTags', 0xff);
    s.set('fpuCw', 0x27f);
    expect(run(rig)).toBe(1);
    expect([s.getBig('xmm', 3), s.get('fpuTags'), s.get('fpuCw'), s.get('mxcsr')]).toEqual([0n, 0, 0x37f, 0x1fa0]);
  });
  test.each([
    ['a misaligned area', XSAVE, (rig: Rig) => rig.cpu.state.setBig('regs', BigInt(AREA + 16), 6)],
    ['without CR4.OSXSAVE', XSAVE, (rig: Rig) => rig.cpu.state.setBig('cr4', rig.cpu.state.getBig('cr4') & ~OSXSAVE)],
    ['CR0.TS', XRSTOR, (rig: Rig) => rig.cpu.state.setBig('cr0', rig.cpu.state.getBig('cr0') | 8n)],
    ['a component that XCR0 lacks', XRSTOR, (rig: Rig) => rig.view.setBigUint64(rig.at(AREA + 512), 4n, true)],
    ['the compacted form', XRSTOR, (rig: Rig) => rig.view.setBigUint64(rig.at(AREA + 520), 1n << 63n, true)],
    ['reserved bits of MXCSR', XRSTOR, (rig: Rig) => rig.view.setUint32(rig.at(AREA + 24), 0x1_0000, true)],
    ['XGETBV of register 2', XGETBV, (rig: Rig) => rig.cpu.state.setBig('regs', 2n, 1)],
    ['XSETBV without x87', XSETBV, (rig: Rig) => rig.cpu.state.setBig('regs', 2n, 0)],
    ['XSETBV with AVX', XSETBV, (rig: Rig) => rig.cpu.state.setBig('regs', 7n, 0)],
  ])('faults: %s', (_, code, spoil) => {
    const rig = start(code);
    spoil(rig);
    rig.cpu.stateChanged();
    expect(run(rig)).toBe(2);
  });
  test('XSETBV and XGETBV', () => {
    const rig = start([...XSETBV, 0xb8, 9, 0, 0, 0, ...XGETBV], 1);
    expect(run(rig)).toBe(1);
    expect([rig.cpu.state.getBig('xcr0'), rig.cpu.state.getBig('regs', 0)]).toEqual([1n, 1n]);
  });
});

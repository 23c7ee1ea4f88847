import { parseCpuModel, resolveProperties } from '@sterna/core';
import { describe, expect, test } from 'vitest';
import { x86Cpus } from '../src/index.ts';
import { FEATURES } from '../src/models/features.ts';
import { cpuidRows } from '../src/models/leaves.ts';
import { type CpuConfiguration, configure } from '../src/models/model.ts';
import { MAX, QEMU64 } from '../src/models/qemu64.ts';
import { Rig } from './rig.ts';

/** A `-cpu` text applied, with the warnings it gave. */
function apply(text: string): CpuConfiguration & { readonly warnings: readonly string[] } {
  const { type, properties } = parseCpuModel(text, x86Cpus);
  const values = resolveProperties(type.properties, properties, `-cpu ${type.name}`, { text: true });
  const warnings: string[] = [];
  const model = type.name === 'max' ? MAX : QEMU64;
  return { ...configure(model, values, (w) => void warnings.push(w)), warnings };
}
const rowsOf = (text: string): ReturnType<typeof cpuidRows> => cpuidRows(apply(text), { apicId: 0, count: 1 });

describe('-cpu', () => {
  test('qemu64 answers as QEMU 7.2 to 11.1 do, but for SVM', () => {
    const find = (leaf: number) => rowsOf('qemu64').find((row) => row.leaf === leaf);
    expect(find(0)).toEqual({ leaf: 0, eax: 0xd, ebx: 0x6874_7541, ecx: 0x444d_4163, edx: 0x6974_6e65 });
    expect(find(1)).toEqual({ leaf: 1, eax: 0x60fb1, ebx: 0x800, ecx: 0x8000_2001, edx: 0x78b_fbfd });
    expect(find(0x8000_0001)).toEqual({ leaf: 0x8000_0001, eax: 0x60fb1, ecx: 1, edx: 0x2193_fbfd });
    expect(find(0x8000_0002)).toMatchObject({ eax: 0x554d_4551, ebx: 0x7269_5620, ecx: 0x6c61_7574, edx: 0x5550_4320 });
    expect(find(0x8000_0003)).toMatchObject({ eax: 0x7265_7620, ebx: 0x6e6f_6973, ecx: 0x352e_3220, edx: 0x2b });
    for (const leaf of [6, 7, 0xd]) expect(find(leaf)).toBeUndefined();
  });
  test('max has what x86-64-v2 wants, and nothing beyond QEMU 11.1 under TCG', () => {
    const { features, words, signature } = apply('max');
    for (const name of ['cx16', 'lahf-lm', 'popcnt', 'sse4.1', 'sse4.2', 'ssse3', 'pni'])
      expect(features).toContain(name);
    expect(signature).toBe(0x663);
    const tcg = {
      '1.edx': 0x0fcb_fbfd,
      '1.ecx': 0xf6f8_320b,
      '7.0.ebx': 0x219c_43a9,
      '7.0.ecx': 0x8041_020c,
      '7.0.edx': 0x10,
      '6.eax': 4,
      'd.1.eax': 5,
      '80000001.edx': 0xedd3_fbfd,
      '80000001.ecx': 0x177,
    };
    for (const [word, bits] of Object.entries(tcg)) {
      expect((words[word as keyof typeof words] & ~bits) >>> 0, word).toBe(0);
    }
  });
  test('features by sign, by value and by other names; minus wins over plus, and both over values', () => {
    expect(apply('qemu64,+ssse3,sse4_1,sse4.2=on').features).toContain('sse4.1');
    expect(apply('qemu64,sse3=off').features).not.toContain('pni');
    expect(apply('max,-popcnt,+popcnt').features).not.toContain('popcnt');
    expect(apply('qemu64,+popcnt,popcnt=off').features).toContain('popcnt');
    expect(apply('max,-xsave').features).not.toContain('xsaveopt');
    expect(apply('qemu64,vendor=GenuineIntel').words['80000001.edx']).toBe(0x2010_0800);
    expect(apply('qemu64,family=6,model=26,stepping=3').signature).toBe(0x106a3);
  });
  test('what is missing is warned of, and refused with enforce', () => {
    expect(apply('qemu64,+avx').warnings).toEqual(['feature is not implemented: CPUID[eax=01h].ECX.avx [bit 28]']);
    expect(apply('qemu64,+avx,check=off').warnings).toEqual([]);
    expect(() => apply('qemu64,+avx,enforce')).toThrow(expect.objectContaining({ code: 'STERNA_ERR_UNSUPPORTED' }));
    expect(() => apply('qemu64,+frob')).toThrow(expect.objectContaining({ code: 'STERNA_ERR_PROPERTY_UNKNOWN' }));
    expect(() => apply('pentium9')).toThrow(expect.objectContaining({ code: 'STERNA_ERR_CPU_UNKNOWN' }));
    expect(() => apply('max,popcnt=maybe')).toThrow(expect.objectContaining({ code: 'STERNA_ERR_PROPERTY_VALUE' }));
    expect(() => apply('max,vendor=short')).toThrow(expect.objectContaining({ code: 'STERNA_ERR_PROPERTY_VALUE' }));
    expect(parseCpuModel('max,tsc-freq=2.5G', x86Cpus).properties).toEqual({ 'tsc-frequency': '2500000000' });
  });
});

describe('instructions of features that are off', () => {
  /** Exit reason: 1 its HLT, 2 shut down by the exception, for which there is no handler. */
  function run(features: ReadonlySet<string>, code: readonly number[]): number {
    const rig = new Rig();
    const { cpu } = rig;
    rig.mode(64);
    cpu.engine.setFeatures(features);
    rig.bytes.set([...code, 0xf4], rig.at(0x1000));
    cpu.state.setBig('rip', 0x1000n);
    cpu.state.setBig('cr4', cpu.state.getBig('cr4') | 0x600n);
    cpu.stateChanged();
    return cpu.run(100);
  }
  const without = (name: string): Set<string> => new Set([...FEATURES.keys()].filter((f) => f !== name));
  test.each([
    ['ssse3', [0x66, 0x0f, 0x38, 0x00, 0xc1]],
    ['sse4.1', [0x66, 0x0f, 0x38, 0x17, 0xc1]],
    ['sse4.2', [0x66, 0x0f, 0x3a, 0x63, 0xc1, 0]],
    ['popcnt', [0xf3, 0x0f, 0xb8, 0xc1]],
    ['pni', [0xf2, 0x0f, 0x12, 0xc1]],
    ['sse2', [0x66, 0x0f, 0xfc, 0xc1]],
    ['mmx', [0x0f, 0xfc, 0xc1]],
    ['cmov', [0x0f, 0x44, 0xc1]],
  ])('%s', (name, code) => {
    expect(run(new Set(FEATURES.keys()), code)).toBe(1);
    expect(run(without(name), code)).toBe(2);
  });
});

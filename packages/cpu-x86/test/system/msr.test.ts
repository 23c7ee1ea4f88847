import { MEMORY_LAYOUT } from '@sterna/core';
import { describe, expect, test } from 'vitest';
import type { CpuHost } from '../../src/engine.ts';
import { Box, type Features } from './box.ts';

const GP = 13;
const RAX = 0;
const RDX = 2;

/** Runs code at level 0 of long mode on a machine whose clock stands at 1000 ticks of half a ns. */
function run(code: string, host: Partial<CpuHost> = {}, features: Features = {}): Box {
  const b = new Box(host, features);
  b.enter('long');
  b.memory.f64[MEMORY_LAYOUT.tscPerNs / 8] = 2;
  b.memory.u64[MEMORY_LAYOUT.tscAtSliceStart / 8] = 1000n;
  b.code('long', `${code}\nhlt`);
  expect(b.run()).toBe(1);
  return b;
}
const value = (b: Box): bigint => (b.reg(RDX) << 32n) | b.reg(RAX);
const wrmsr = (number: number, v: bigint): string =>
  `mov ecx, ${number}\nmov eax, ${v & 0xffff_ffffn}\nmov edx, ${(v >> 32n) & 0xffff_ffffn}\nwrmsr\n`;
const rdmsr = (number: number): string => `mov ecx, ${number}\nrdmsr\n`;
const adjust = { 'tsc-adjust': true };

describe('registers of the timestamp counter', () => {
  test('a write to it moves RDTSC, and shows in TSC_ADJUST', () => {
    expect(value(run(`${wrmsr(0x10, 5n)}rdtsc`))).toBe(5n);
    expect(value(run(wrmsr(0x10, 5000n) + rdmsr(0x3b), {}, adjust))).toBe(4000n);
  });
  test('TSC_ADJUST moves it by the difference', () => {
    const twice = wrmsr(0x3b, 500n) + wrmsr(0x3b, 300n);
    expect(value(run(`${twice}rdtsc`, {}, adjust))).toBe(1300n);
    expect(value(run(twice + rdmsr(0x3b), {}, adjust))).toBe(300n);
  });
  test('without the feature TSC_ADJUST reads 0', () => {
    expect(value(run(wrmsr(0x3b, 500n) + rdmsr(0x3b)))).toBe(0n);
  });

  const armed: (number | undefined)[] = [];
  const deadline = (v: bigint, after = ''): Box => {
    armed.length = 0;
    const host = { armDeadline: (ns: number | undefined) => void armed.push(ns), deadlinePending: () => after === '' };
    return run(wrmsr(0x6e0, v) + rdmsr(0x6e0), host, { 'tsc-deadline': true });
  };
  test('a deadline is armed in ns from now, and reads back until it has come', () => {
    expect(value(deadline(3000n))).toBe(3000n);
    expect(armed).toEqual([1000]);
    expect(value(deadline(3000n, 'come'))).toBe(0n);
  });
  test('a deadline in the past is due at once, 0 disarms', () => {
    deadline(10n);
    deadline(0n);
    expect(armed).toEqual([undefined]);
    deadline(10n);
    expect(armed).toEqual([0]);
  });
});

describe('registers of the local APIC', () => {
  test('go to it in x2APIC mode, both halves', () => {
    const seen: number[][] = [];
    const host: Partial<CpuHost> = {
      apicMsrRead(register, out) {
        out.set([register, 7]);
        return true;
      },
      apicMsrWrite: (...access) => seen.push(access) > 0,
    };
    expect(value(run(rdmsr(0x830), host))).toBe(0x7_0000_0030n);
    run(wrmsr(0x830, 0x1_8000_0041n), host);
    expect(seen).toEqual([[0x30, 0x8000_0041, 1]]);
  });
  test.each([
    ['a read', rdmsr(0x802)],
    ['a write', wrmsr(0x80b, 0n)],
  ])('%s that the APIC refuses is #GP', (_name, code) => {
    expect(run(code).stoppedAt).toBe(GP);
  });
  test('so is a mode that the APIC refuses', () => {
    expect(run(wrmsr(0x1b, 0xfee0_0d00n), { apicBaseWrite: () => false }).stoppedAt).toBe(GP);
  });
});

describe('registers that must fault', () => {
  test.each([
    ['MC10_CTL', rdmsr(0x428)],
    ['MC31_MISC', wrmsr(0x47f, 0n)],
    ['MC0_CTL, neither 0 nor all ones', wrmsr(0x400, 1n)],
    ['MC0_STATUS, not 0', wrmsr(0x401, 1n)],
    ['SPEC_CTRL', rdmsr(0x48)],
    ['PRED_CMD', wrmsr(0x49, 0n)],
    ['FLUSH_CMD', wrmsr(0x10b, 0n)],
  ])('%s', (_name, code) => {
    expect(run(code).stoppedAt).toBe(GP);
  });
  test('MC4_CTL ignores what Linux writes on AMD family 15', () => {
    expect(value(run(wrmsr(0x410, 0xffff_ffff_ffff_fbffn) + rdmsr(0x410)))).toBe(0xffff_ffff_ffff_ffffn);
  });
  test('an unknown one reads 0', () => {
    expect(value(run(wrmsr(0xc001_1020, 3n) + rdmsr(0xc001_1020)))).toBe(0n);
  });
});

import {
  MEMORY_LAYOUT,
  PAGE_CLEAN_MIGRATION,
  PAGE_MAP_READ,
  PAGE_MISSING,
  PAGE_PROTECTED,
  PAGE_UNTOUCHED,
} from '@sterna/core';
import { describe, expect, it } from 'vitest';
import { Rig } from '../rig.ts';

const hex = (text: string): Uint8Array =>
  Uint8Array.from(text.replace(/\s/g, '').match(/../g) ?? [], (b) => Number.parseInt(b, 16));

/** A rig with a device in the page at 0x80000 that records accesses and answers address-dependent bytes. */
function withDevice(code: string): { rig: Rig; log: string[] } {
  const log: string[] = [];
  const byte = (a: number): number => (a & 0xff) ^ 0x5a;
  const rig: Rig = new Rig(1 << 20, {
    mmioRead: (address, size) => {
      log.push(`r${size} ${address.toString(16)}`);
      let v = 0;
      for (let i = 0; i < size; i++) v += byte(address + i) * 2 ** (8 * i);
      return v | 0;
    },
    mmioWrite: (address, size, value) => void log.push(`w${size} ${address.toString(16)} ${value.toString(16)}`),
  });
  rig.map(0x80000, 0, 0);
  rig.mode(64);
  rig.bytes.set(hex(code), rig.at(0x1000));
  rig.cpu.state.setBig('rip', 0x1000n);
  rig.cpu.state.setBig('regs', 0x80000n, 6);
  rig.cpu.state.setBig('regs', 0x7fffen, 7);
  return { rig, log };
}

describe('device memory', () => {
  it('is read in the size of the instruction, eight bytes as two halves', () => {
    const { rig, log } = withDevice('8a06 668b4e02 8b5604 488b5e08 f4');
    expect(rig.cpu.run(100)).toBe(1);
    expect(log).toEqual(['r1 80000', 'r2 80002', 'r4 80004', 'r4 80008', 'r4 8000c']);
    expect(rig.cpu.state.getBig('regs', 3)).toBe(0x5554575651505352n);
  });
  it('is written in the size of the instruction', () => {
    const { rig, log } = withDevice('c606aa 66c746021234 c74604 78563412 48c74608 ffffffff f4');
    expect(rig.cpu.run(100)).toBe(1);
    expect(log).toEqual([
      'w1 80000 aa',
      'w2 80002 3412',
      'w4 80004 12345678',
      'w4 80008 ffffffff',
      'w4 8000c ffffffff',
    ]);
  });
  it('takes part in read-modify-write once each way', () => {
    const { rig, log } = withDevice('830601 f4');
    expect(rig.cpu.run(100)).toBe(1);
    expect(log).toEqual(['r4 80000', 'w4 80000 59585b5b']);
  });
  it('shares an access that crosses into it with RAM', () => {
    const { rig, log } = withDevice('8b07 c707 44332211 f4');
    rig.bytes.set([0x11, 0x22], rig.at(0x7fffe));
    expect(rig.cpu.run(100)).toBe(1);
    expect(log).toEqual(['r2 80000', 'w2 80000 1122']);
    expect(rig.cpu.state.getBig('regs', 0)).toBe(0x5b5a2211n);
    expect([...rig.bytes.slice(rig.at(0x7fffe), rig.at(0x80000))]).toEqual([0x44, 0x33]);
  });
  it('moves by string instructions element by element', () => {
    const { rig, log } = withDevice('bf 00500000 b9 03000000 f3a5 f4');
    expect(rig.cpu.run(100)).toBe(1);
    expect(log).toEqual(['r4 80000', 'r4 80004', 'r4 80008']);
  });
});

describe('page flags', () => {
  const flagsOf = (rig: Rig, ram: number): number => MEMORY_LAYOUT.pageFlags + (rig.at(ram) >>> 12);
  it('lose clean and untouched at the first write, and are seen again after a harvest', () => {
    const { rig } = withDevice('c60425 00500000 01 f4');
    const at = flagsOf(rig, 0x5000);
    rig.bytes[at] = PAGE_CLEAN_MIGRATION | PAGE_UNTOUCHED;
    rig.cpu.run(100);
    expect(rig.bytes[at]).toBe(0);
    rig.bytes[at] = PAGE_CLEAN_MIGRATION;
    rig.cpu.flushWriteTags();
    rig.cpu.state.setBig('rip', 0x1000n);
    rig.cpu.state.set('halted', 0);
    rig.cpu.run(100);
    expect(rig.bytes[at]).toBe(0);
  });
  it('make reads and writes wait for a missing page, writes for a protected one, with nothing changed', () => {
    for (const [flag, code] of [
      [PAGE_MISSING, '8a0425 00500000 f4'],
      [PAGE_MISSING, 'c60425 00500000 01 f4'],
      [PAGE_PROTECTED, 'fe0425 00500000 f4'],
    ] as const) {
      const { rig } = withDevice(`90 ${code}`);
      const at = flagsOf(rig, 0x5000);
      rig.bytes[at] = flag;
      rig.cpu.flushTlb();
      expect(rig.cpu.run(100)).toBe(3);
      expect([rig.cpu.executed, rig.cpu.state.getBig('rip')]).toEqual([1, 0x1001n]);
      rig.bytes[at] = 0;
      expect(rig.cpu.run(100)).toBe(1);
    }
  });
  it('send writes to ROM to the bus', () => {
    const { rig, log } = withDevice('c60425 00500000 01 f4');
    rig.map(0x5000, 0x5000, PAGE_MAP_READ);
    rig.cpu.flushTlb();
    expect(rig.cpu.run(100)).toBe(1);
    expect(log).toEqual(['w1 5000 1']);
  });
});

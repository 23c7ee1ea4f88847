import { describe, expect, it } from 'vitest';
import { makePairs } from '../src/decode/pairs.ts';
import { handlerTables } from '../src/index.ts';
import { Rig } from './rig.ts';
import { runSnippet } from './snippet.ts';

describe('the decode cache', () => {
  it('starts afresh when it is full', () => {
    const rig = new Rig(4 << 20);
    rig.mode(64);
    rig.bytes.fill(0x90, rig.at(0x1000), rig.at(0x3ff000));
    rig.bytes[rig.at(0x3ff000)] = 0xf4;
    for (let round = 0; round < 2; round++) {
      rig.cpu.state.setBig('rip', 0x1000n);
      rig.cpu.state.set('halted', 0);
      const before = rig.cpu.state.get('cacheEpoch');
      expect(rig.cpu.run(5_000_000)).toBe(1);
      expect(rig.cpu.executed).toBe(0x3fe000 + 1);
      expect(rig.cpu.state.get('cacheEpoch')).toBeGreaterThan(before);
    }
  });
  it('keeps modes apart', () => {
    const rig = new Rig();
    // 40 is REX in 64-bit mode and INC EAX outside: 48 40 90 f4
    rig.bytes.set([0x40, 0x90, 0xf4], rig.at(0x1000));
    for (const [bits, rax] of [
      [64, 0n],
      [32, 1n],
      [16, 1n],
      [64, 0n],
    ] as const) {
      rig.mode(bits);
      rig.cpu.state.setBig('rip', 0x1000n);
      rig.cpu.state.setBig('regs', 0n);
      rig.cpu.state.set('halted', 0);
      expect(rig.cpu.run(100)).toBe(1);
      expect(rig.cpu.state.getBig('regs')).toBe(rax);
    }
  });
});

describe('the decoder', () => {
  it('has a handler for every form of every row', () => {
    const t = handlerTables();
    expect(t.count).toBeLessThan(0x1_0000);
    expect(t.hotEnd).toBeLessThan(t.count);
    for (const h of t.handlers) expect(h.id).toBeGreaterThan(0);
  });
  it('has the parts of every frequent sequence in the dispatcher', () => {
    const missing: string[] = [];
    makePairs(
      handlerTables().handlers.filter((h) => h.id < handlerTables().hotEnd && h.first === undefined),
      missing,
    );
    expect(missing).toEqual([]);
  });
  const single = (code: string, regs = {}): string => {
    const r = runSnippet({ code, regs });
    return r.reg('rax').toString(16);
  };
  it('takes the last of conflicting prefixes and ignores a REX that is not last', () => {
    expect(single('4866b83412', {})).toBe('1234');
    expect(single('6648b8 8877665544332211')).toBe('1122334455667788');
  });
  it('knows the byte registers with and without REX', () => {
    const r = runSnippet({ code: '88e0 4088e1', regs: { rax: 0x1200n, rsp: 0x8034n } });
    expect([r.reg('rax'), r.reg('rcx')]).toEqual([0x1212n, 0x34n]);
  });
  it('computes RIP-relative addresses from the end of the instruction', () => {
    const r = runSnippet({ code: 'c70510000000 78563412 8b0506000000' });
    expect(r.reg('rax')).toBe(0n);
    expect(r.bytes(0x101a, 4)).toBe('78563412');
  });
  it('exchanges with R8 by 49 90 but treats 90 as a true NOP', () => {
    const r = runSnippet({ code: '90 4990', regs: { rax: 0xffffffff00000001n, r8: 2n } });
    expect([r.reg('rax'), r.reg('r8')]).toEqual([2n, 0xffffffff00000001n]);
  });
});

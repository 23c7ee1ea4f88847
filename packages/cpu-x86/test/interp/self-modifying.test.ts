import { MEMORY_LAYOUT, PAGE_CODE } from '@sterna/core';
import { describe, expect, it } from 'vitest';
import { Rig } from '../rig.ts';
import { runSnippet } from '../snippet.ts';

const hex = (text: string): Uint8Array =>
  Uint8Array.from(text.replace(/\s/g, '').match(/../g) ?? [], (b) => Number.parseInt(b, 16));

describe('self-modifying code', () => {
  it('executes what was just written, even the next instruction', () => {
    // mov byte [0x1009], 0x43; (at 0x1008) inc r8d -> the ModRM byte is unchanged, REX becomes 43
    const r = runSnippet({ code: 'c60425 08100000 49 41ffc0 f4', regs: { r8: 5n } });
    expect(r.reg('r8')).toBe(6n);
    const changed = runSnippet({ code: 'c60425 0a100000 c1 41ffc0', regs: { r8: 5n, r9: 7n } });
    // inc r8d became inc r9d
    expect([changed.reg('r8'), changed.reg('r9')]).toEqual([5n, 8n]);
  });

  it('inside a sequence that is executed by one handler', () => {
    // mov [rsi], rax; add rcx, rbx -> the store makes it sub rcx, rbx; hlt
    const r = runSnippet({
      code: '488906 4801d9 f490909090',
      regs: { rsi: 0x1003n, rax: 0x90909090f4d92948n, rcx: 50n, rbx: 8n },
    });
    expect(r.reg('rcx')).toBe(42n);
  });

  it('sees a change made through another mapping of the page', () => {
    const rig = new Rig();
    rig.map(0x40000, 0x1000);
    rig.mode(64);
    // call 0x1800; mov byte [0x40801], 0xc1; call 0x1800; hlt;  0x1800: inc eax -> inc ecx; ret
    rig.bytes.set(hex('e8 fb070000 c60425 01080400 c1 e8 ee070000 f4'), rig.at(0x1000));
    rig.bytes.set(hex('ffc0 c3'), rig.at(0x1800));
    rig.cpu.state.setBig('rip', 0x1000n);
    rig.cpu.state.setBig('regs', 0x8000n, 4);
    expect(rig.cpu.run(1000)).toBe(1);
    expect([rig.cpu.state.getBig('regs', 0), rig.cpu.state.getBig('regs', 1)]).toEqual([1n, 1n]);
  });

  it('keeps code when data beside it in the page is written', () => {
    const rig = new Rig();
    rig.mode(64);
    // 100 times: inc dword [0x1f00]; then halt
    rig.bytes.set(hex('b9 64000000 ff0425 001f0000 ffc9 75f5 f4'), rig.at(0x1000));
    rig.cpu.state.setBig('rip', 0x1000n);
    expect(rig.cpu.run(1000)).toBe(1);
    expect(rig.view.getUint32(rig.at(0x1f00), true)).toBe(100);
    expect(rig.bytes[MEMORY_LAYOUT.pageFlags + (rig.at(0x1000) >>> 12)]! & PAGE_CODE).toBe(PAGE_CODE);
  });

  it('drops code that a device overwrote', () => {
    const rig = new Rig();
    rig.mode(64);
    rig.bytes.set(hex('ffc0 f4'), rig.at(0x1000));
    rig.cpu.state.setBig('rip', 0x1000n);
    rig.cpu.run(10);
    rig.bytes.set(hex('ffc1'), rig.at(0x1000));
    rig.cpu.invalidateCode(rig.at(0x1000), 2);
    rig.cpu.state.setBig('rip', 0x1000n);
    rig.cpu.state.set('halted', 0);
    rig.cpu.run(10);
    expect([rig.cpu.state.getBig('regs', 0), rig.cpu.state.getBig('regs', 1)]).toEqual([1n, 1n]);
  });

  it('of an instruction that crosses pages, in either part', () => {
    for (const at of [0x1ffe, 0x2001]) {
      const rig = new Rig();
      rig.mode(64);
      // add eax, 0x01010101 at 0x1ffe, ret; main at 0x3000: call, patch one byte, call, hlt
      rig.bytes.set(hex('81c0 01010101 c3'), rig.at(0x1ffe));
      const patched = at === 0x1ffe ? '83' : '02';
      rig.bytes.set(
        hex(
          `e8 f9efffff c60425 ${at === 0x1ffe ? 'fe1f' : '0120'}0000 ${patched} ${at === 0x1ffe ? 'f4' : 'e8 ecefffff f4'}`,
        ),
        rig.at(0x3000),
      );
      rig.cpu.state.setBig('rip', 0x3000n);
      rig.cpu.state.setBig('regs', 0x8000n, 4);
      expect(rig.cpu.run(1000)).toBe(1);
      expect(rig.cpu.state.getBig('regs', 0)).toBe(at === 0x1ffe ? 0x01010101n : 0x01010101n + 0x01010201n);
    }
  });
});

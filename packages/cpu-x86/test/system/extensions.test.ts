import { describe, expect, test } from 'vitest';
import { AT, Box } from './box.ts';
import { checkRow } from './check-row.ts';
import { EXTENSION_CASES } from './extension-cases.ts';

describe('features beyond qemu64', () => {
  test.for(EXTENSION_CASES)('$mode: $name', (row) => checkRow(row));

  test('MWAIT waits as HLT does', () => {
    const b = new Box({}, { monitor: true });
    b.enter('long');
    b.code('long', 'xor ecx, ecx\ndb 0x0f, 0x01, 0xc8\ndb 0x0f, 0x01, 0xc9\nhlt');
    expect(b.run()).toBe(1);
    expect(Number(b.state.getBig('rip'))).toBe(AT.code + 8);
  });

  test('CPUID shows OSXSAVE and OSPKE of CR4', () => {
    const b = new Box({}, { xsave: true, pku: true });
    b.enter('long');
    b.state.setBig('cr4', 0x44_0620n);
    b.code('long', 'mov eax, 1\ncpuid\nmov esi, ecx\nmov eax, 7\nxor ecx, ecx\ncpuid\nhlt');
    expect(b.run()).toBe(1);
    expect((Number(b.reg(6)) >>> 27) & 1).toBe(1);
    expect((Number(b.reg(1)) >>> 4) & 1).toBe(1);
  });
});

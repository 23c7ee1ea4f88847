import { describe, expect, test } from 'vitest';
import { AT, Box, type Features, SEL } from './box.ts';
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

describe('Intel models', () => {
  const intel = { vendor: 'GenuineIntel' } as unknown as Features;
  test('SYSENTER and SYSEXIT in long mode', () => {
    const b = new Box({}, intel);
    b.enter('user64');
    b.code('user64', 'mov rbp, rsp\nsysenter\nhlt');
    // REX.W SYSEXIT to the HLT, which faults at level 3
    b.code('long', `mov r8, rsp\nmov rcx, rbp\nmov edx, ${AT.code + 5}\ndb 0x48, 0x0f, 0x35`, AT.code + 0x100);
    b.state.set('sysenterCs', SEL.code64 - 0x10);
    b.gdt(SEL.code64 - 0x10, 0n);
    b.state.setBig('sysenterEsp', 0xffff_8000_0000_1000n);
    b.state.setBig('sysenterEip', BigInt(AT.code + 0x100));
    expect(b.run()).toBe(1);
    expect(b.stoppedAt).toBe(13);
    expect(b.reg(8)).toBe(0xffff_8000_0000_1000n);
    expect(b.read32(Number(b.reg(4)) + 8)).toBe(AT.code + 5);
    expect(b.read32(Number(b.reg(4)) + 16) & 3).toBe(3);
  });
  test('SYSCALL outside long mode does not exist', () => {
    const b = new Box({}, intel);
    b.enter('user32');
    b.state.setBig('efer', 1n);
    b.code('user32', 'syscall');
    expect(b.run()).toBe(1);
    expect(b.stoppedAt).toBe(6);
  });
});

import { describe, expect, test } from 'vitest';
import { AT, Box, descriptor, type Mode, SEL } from './box.ts';

function start(mode: Mode, code: string, setup: (b: Box) => void = () => {}): Box {
  const b = new Box();
  b.enter(mode);
  b.code(mode, code);
  setup(b);
  expect(b.run()).toBe(1);
  return b;
}

/** A call gate descriptor. */
function callGate(selector: number, offset: number, count: number, flags: number): bigint {
  const low = (offset & 0xffff) + selector * 0x1_0000;
  return BigInt(low) | (BigInt(((offset & 0xffff_0000) | flags | count) >>> 0) << 32n);
}

describe('call gates', () => {
  test('32 bits, to level 0 with two parameters and back', () => {
    const b = start(
      'user32',
      `push dword 0x11111111\npush dword 0x22222222\ncall ${SEL.free | 3}:0\nmov ebx, esp\nud2`,
      (x) => {
        x.gdt(SEL.free, callGate(SEL.code32, AT.code + 0x100, 2, 0xec00));
        x.code(
          'prot32',
          'mov esi, esp\nmov edi, cs\nmov eax, [esp+8]\nmov ecx, [esp+12]\nmov edx, [esp+16]\nmov ebp, [esp+4]\nretf 8',
          AT.code + 0x100,
        );
      },
    );
    expect(b.stoppedAt).toBe(6);
    // SS ESP parameters CS EIP
    const sp = Number(b.reg(6));
    expect(sp).toBe(AT.stack0 - 24);
    expect([0, 1, 2, 5].map((r) => Number(b.reg(r)))).toEqual([0x22222222, 0x11111111, AT.userStack - 8, SEL.user32]);
    expect(b.reg(7)).toBe(BigInt(SEL.code32));
    expect(b.reg(3)).toBe(BigInt(AT.userStack));
  });

  test('64 bits, to level 0 and back', () => {
    const b = start(
      'user64',
      `call far dword [rel pointer]\nmov rbx, rsp\nud2\npointer: dd 0\ndw ${SEL.free | 3}`,
      (x) => {
        x.gdt(SEL.free, callGate(SEL.code64, AT.code + 0x100, 0, 0xec00));
        x.code('long', 'mov rsi, rsp\nmov edi, ss\no64 retf', AT.code + 0x100);
      },
    );
    expect(b.stoppedAt).toBe(6);
    expect(b.reg(6)).toBe(BigInt(AT.stack0 - 32));
    expect(b.reg(7)).toBe(0n);
    expect(b.reg(3)).toBe(BigInt(AT.userStack));
    expect(b.read64(AT.stack0 - 8)).toBe(BigInt(SEL.userData));
  });

  test('same level: nothing but the return address is pushed', () => {
    const b = start('prot32', `call ${SEL.free}:0`, (x) => {
      x.gdt(SEL.free, callGate(SEL.code32, AT.code + 0x100, 3, 0x8c00));
      x.code('prot32', 'hlt', AT.code + 0x100);
    });
    expect(b.reg(4)).toBe(BigInt(AT.stack0 - 8));
  });
});

describe('returns', () => {
  test('IRETQ to compatibility mode at level 3, and an exception back', () => {
    const b = start(
      'long',
      `push ${SEL.userData}\npush ${AT.userStack}\npush 0x202\npush ${SEL.user32}\npush ${AT.code + 0x100}\niretq`,
      (x) => {
        x.code('userCompat', 'mov eax, 0x12345678\ninc eax\nud2', AT.code + 0x100);
      },
    );
    expect(b.stoppedAt).toBe(6);
    expect(b.reg(0)).toBe(0x12345679n);
    const sp = Number(b.reg(4));
    expect([0, 8, 16, 24, 32].map((o) => Number(b.read64(sp + o)))).toEqual([
      AT.code + 0x106,
      SEL.user32,
      0x1_0202,
      AT.userStack,
      SEL.userData,
    ]);
  });

  test('IRETQ to level 3 drops privileged data segments', () => {
    const b = start(
      'long',
      `mov eax, ${SEL.data32}\nmov ds, eax\nmov es, eax\npush ${SEL.userData}\npush ${AT.userStack}\npush 2\npush ${SEL.user64}\npush ${AT.code + 0x100}\niretq`,
      (x) => void x.code('user64', 'mov ecx, ds\nmov edx, es\nud2', AT.code + 0x100),
    );
    expect([b.reg(1), b.reg(2)]).toEqual([0n, 0n]);
  });

  test('IRETD to VM86 and back by a fault', () => {
    const b = start(
      'prot32',
      `push dword 0x444\npush dword 0x333\npush dword 0x222\npush dword 0x111\npush dword 0x80\npush dword 0x100\npush dword 0x20002\npush dword 0x500\npush dword 0x10\niretd`,
      (x) => {
        // CS 0500, IP 0010: 0x5010
        x.code('vm86', 'mov ax, ds\nmov bx, gs\nhlt', 0x5010);
        x.code('prot32', 'jmp 0x5080', AT.code);
        x.code(
          'prot32',
          'push dword 0x444\npush dword 0x333\npush dword 0x222\npush dword 0x111\npush dword 0x80\npush dword 0x100\npush dword 0x20002\npush dword 0x500\npush dword 0x10\niretd',
          0x5080,
        );
      },
    );
    expect(b.stoppedAt).toBe(13);
    expect([b.reg(0), b.reg(3)]).toEqual([0x222n, 0x444n]);
    const sp = Number(b.reg(4));
    // error EIP CS EFLAGS ESP SS ES DS FS GS
    const words = Array.from({ length: 10 }, (_, i) => b.read32(sp + 4 * i));
    expect(words).toEqual([0, 0x14, 0x500, 0x3_0002, 0x100, 0x80, 0x111, 0x222, 0x333, 0x444]);
  });

  test('RETF with parameters to an outer level', () => {
    const b = start(
      'prot32',
      `push dword ${SEL.userData}\npush dword ${AT.userStack}\npush dword 1\npush dword ${SEL.user32}\npush dword ${AT.code + 0x100}\nretf 4`,
      (x) => void x.code('user32', 'mov ebx, esp\nud2', AT.code + 0x100),
    );
    expect(b.reg(3)).toBe(BigInt(AT.userStack + 4));
  });
});

describe('system calls', () => {
  test('SYSCALL and SYSRET', () => {
    const b = start('user64', 'mov r11, 0\nstc\nsyscall\nmov rbx, r11\nmov r8, rcx\nmov edx, ss\nud2', (x) => {
      // STAR: kernel 08/10 for code64 at 18 needs its own pair
      x.gdt(0x90, descriptor(0, 0xfffff, 0xa09b00));
      x.state.setBig('star', (BigInt(SEL.user32) << 48n) | (0x18n << 32n));
      x.state.setBig('lstar', BigInt(AT.code + 0x100));
      x.state.setBig('fmask', 0x201n);
      x.code('long', 'mov r9d, cs\nmov r10, rcx\nsbb eax, eax\no64 sysret', AT.code + 0x100);
      x.flags(0x202);
    });
    expect(b.stoppedAt).toBe(6);
    expect(b.reg(9)).toBe(0x18n);
    expect(b.reg(10)).toBe(BigInt(AT.code + 9));
    // CF was cleared by the mask, and came back with R11
    expect(b.reg(0)).toBe(0n);
    expect(b.reg(3)).toBe(0x203n);
    expect(b.reg(2)).toBe(BigInt(SEL.userData));
  });

  test('SYSENTER and SYSEXIT', () => {
    const b = start('user32', 'sysenter', (x) => {
      x.state.set('sysenterCs', SEL.code32);
      x.state.setBig('sysenterEsp', BigInt(AT.stack0));
      x.state.setBig('sysenterEip', BigInt(AT.code + 0x100));
      x.gdt(0x18, descriptor(0, 0xfffff, 0xc0fb00));
      x.gdt(0x20, descriptor(0, 0xfffff, 0xc0f300));
      x.code('prot32', `mov ebx, esp\nmov edx, ${AT.code + 0x200}\nmov ecx, ${AT.userStack}\nsysexit`, AT.code + 0x100);
      x.code('user32', 'mov esi, cs\nmov edi, ss\nud2', AT.code + 0x200);
    });
    expect([b.reg(3), b.reg(6), b.reg(7)]).toEqual([BigInt(AT.stack0), 0x1bn, 0x23n]);
  });
});

describe('tasks', () => {
  const OTHER = 0x1_4000;
  const task32 = (b: Box, overrides: Readonly<Record<number, number>> = {}): void => {
    for (let i = 0; i < 0x68; i += 4) b.write32(OTHER + i, 0);
    const fields: Record<number, number> = {
      32: AT.code + 0x100,
      36: 2,
      40: 0xaaaa_0001,
      56: AT.stack1,
      72: SEL.data32,
      76: SEL.code32,
      80: SEL.data32,
      84: SEL.data32,
      100: 0x68_0000,
      ...overrides,
    };
    for (const [at, value] of Object.entries(fields)) b.write32(OTHER + Number(at), value);
    b.gdt(SEL.free, descriptor(OTHER, 0x67, 0x8900));
    b.state.set('trLimit', 0x67);
  };
  const busy = (b: Box, selector: number): boolean => (b.view.getUint8(AT.gdt + selector + 5) & 2) !== 0;

  test('JMP to a TSS', () => {
    const b = start('prot32', `mov ebx, 0xb0b0b0b0\njmp ${SEL.free}:0\nud2`, (x) => {
      task32(x);
      x.code('prot32', 'hlt', AT.code + 0x100);
    });
    expect(b.state.getBig('rip')).toBe(BigInt(AT.code + 0x101));
    expect(b.reg(0)).toBe(0xaaaa_0001n);
    expect(b.state.get('trSel')).toBe(SEL.free);
    expect([busy(b, SEL.tss), busy(b, SEL.free)]).toEqual([false, true]);
    // the old task's state is in its TSS
    expect(b.read32(AT.tss + 0x20)).toBe(AT.code + 12);
    expect(b.read32(AT.tss + 0x34)).toBe(0xb0b0b0b0);
    expect(b.state.getBig('cr0') & 8n).toBe(8n);
    expect(b.state.get('eflags') & 0x4000).toBe(0);
  });

  test('CALL to a task gate, and IRET back', () => {
    const b = start('prot32', `call ${SEL.notPresent}:0\nmov ecx, 7\nud2`, (x) => {
      task32(x);
      x.gdt(SEL.notPresent, (BigInt(SEL.free) << 16n) | (0x8500n << 32n));
      x.code('prot32', 'mov edx, 9\npushfd\npop dword [0x10000]\niretd', AT.code + 0x100);
    });
    expect(b.stoppedAt).toBe(6);
    expect(b.reg(1)).toBe(7n);
    expect(b.read32(OTHER) & 0xffff).toBe(SEL.tss);
    expect(b.read32(0x10000) & 0x4000).toBe(0x4000);
    expect([busy(b, SEL.tss), busy(b, SEL.free)]).toEqual([true, false]);
    expect(b.read32(OTHER + 0x30)).toBe(9);
    // NT of the new task's image is cleared by the return
    expect(b.read32(OTHER + 0x24) & 0x4000).toBe(0);
  });

  test('an exception through a task gate pushes its error code', () => {
    const b = start('prot32', 'mov eax, 0x1000\nmov ds, eax', (x) => {
      task32(x);
      x.gate32(13, SEL.free, 0, 0x8500);
      x.code('prot32', 'pop ebx\nhlt', AT.code + 0x100);
    });
    expect(b.state.getBig('rip')).toBe(BigInt(AT.code + 0x102));
    expect(b.reg(3)).toBe(0x1000n);
    expect(b.read32(AT.tss + 0x20)).toBe(AT.code + 5);
  });

  test('a bad segment of the new task faults in the new task', () => {
    const b = start('prot32', `jmp ${SEL.free}:0`, (x) => task32(x, { 84: SEL.execOnly }));
    expect(b.stoppedAt).toBe(10);
    const sp = Number(b.reg(4));
    expect([b.read32(sp), b.read32(sp + 4)]).toEqual([SEL.execOnly, AT.code + 0x100]);
    expect(b.state.get('trSel')).toBe(SEL.free);
  });

  test('a busy or short TSS faults in the old task', () => {
    const b = start('prot32', `jmp ${SEL.free}:0`, (x) => {
      task32(x);
      x.gdt(SEL.free, descriptor(OTHER, 0x67, 0x8b00));
    });
    expect([b.stoppedAt, b.read32(Number(b.reg(4)))]).toEqual([13, SEL.free]);
    const c = start('prot32', `jmp ${SEL.free}:0`, (x) => {
      task32(x);
      x.gdt(SEL.free, descriptor(OTHER, 0x66, 0x8900));
    });
    expect([c.stoppedAt, c.read32(Number(c.reg(4)))]).toEqual([10, SEL.free]);
  });

  test.each([
    ['', 0, 0x1234n, 0x1234_0000n],
    [' on an 80386', 1, 0xffff_1234n, 0xffff_0000n],
  ])('a 16-bit task%s', (_name, i386, eax, ebx) => {
    const b = start('prot32', `mov ebx, 0x12345678\njmp ${SEL.free}:0`, (x) => {
      for (let i = 0; i < 0x2c; i += 2) x.view.setUint16(OTHER + i, 0, true);
      const fields: Record<number, number> = { 14: AT.code + 0x100, 16: 2, 18: 0x1234, 26: 0x9000 };
      Object.assign(fields, { 34: SEL.data32, 36: SEL.code32, 38: SEL.data32, 40: SEL.data32 });
      for (const [at, value] of Object.entries(fields)) x.view.setUint16(OTHER + Number(at), value, true);
      x.gdt(SEL.free, descriptor(OTHER, 0x2b, 0x8100));
      x.state.set('trLimit', 0x67);
      x.state.set('i386Rules', i386);
      x.code('prot32', 'hlt', AT.code + 0x100);
    });
    expect(b.reg(0)).toBe(eax);
    expect(b.reg(3)).toBe(ebx);
    expect(b.state.getBig('rip')).toBe(BigInt(AT.code + 0x101));
  });
});

describe('interrupts', () => {
  const irq = (mode: Mode, code: string, prepare: (b: Box) => void): Box => {
    const b = new Box();
    b.enter(mode);
    b.code(mode, code);
    b.vector = 0x50;
    prepare(b);
    return b;
  };
  test('STI lets one instruction pass', () => {
    const b = irq('long', 'sti\nmov eax, 1\nmov eax, 2\nhlt', (x) => x.state.set('irqLine', 1));
    expect(b.run()).toBe(1);
    expect([b.stoppedAt, b.reg(0)]).toEqual([0x50, 1n]);
  });
  test('STI with IF set already has no shadow', () => {
    const b = irq('long', 'sti\nmov eax, 1\nhlt', (x) => {
      x.flags(0x202);
      x.state.set('irqLine', 1);
    });
    b.state.set('shadow', 1);
    expect(b.run()).toBe(1);
    expect([b.stoppedAt, b.reg(0)]).toEqual([0x50, 0n]);
  });
  test('MOV SS lets one instruction pass', () => {
    const b = irq('prot32', `sti\nmov ss, ebx\nmov eax, 1\nmov eax, 2\nhlt`, (x) => {
      x.state.setBig('regs', BigInt(SEL.data32), 3);
      x.state.set('irqLine', 1);
    });
    expect(b.run()).toBe(1);
    expect([b.stoppedAt, b.reg(0)]).toEqual([0x50, 1n]);
  });
  test('HLT wakes, and the handler sees the address after it', () => {
    const b = irq('long', 'sti\nhlt\nnop', () => {});
    expect(b.run()).toBe(1);
    expect(b.cpu.halted).toBe(true);
    b.cpu.setInterruptLine(true);
    expect(b.cpu.hasWork()).toBe(true);
    expect(b.run()).toBe(1);
    expect(b.stoppedAt).toBe(0x50);
    expect(b.read64(Number(b.reg(4)))).toBe(BigInt(AT.code + 2));
    expect(b.read64(Number(b.reg(4)) + 16) & 0x200n).toBe(0x200n);
  });
  test('an NMI blocks the next until IRET', () => {
    const b = irq('long', 'nop\nnop\nnop\nhlt', () => {});
    b.code('long', 'inc r8\niretq', AT.code + 0x100);
    b.gate64(2, SEL.code64, AT.code + 0x100, 0x8e00);
    b.cpu.nmi();
    b.cpu.stateChanged();
    b.cpu.run(1);
    expect(b.state.get('nmiBlocked')).toBe(1);
    b.cpu.nmi();
    b.cpu.run(1);
    // IRET done, second NMI delivered before the next instruction of the program
    b.cpu.run(1);
    expect(b.reg(8)).toBe(2n);
    b.cpu.run(1);
    expect(b.state.get('nmiBlocked')).toBe(0);
  });
  test('a fault of an interrupt delivery carries EXT', () => {
    const b = irq('prot32', 'nop\nnop', (x) => {
      x.flags(0x202);
      x.state.set('irqLine', 1);
      x.gate32(0x50, SEL.data32, 0, 0x8e00);
    });
    expect(b.run()).toBe(1);
    expect([b.stoppedAt, b.read32(Number(b.reg(4)))]).toEqual([13, SEL.data32 | 1]);
  });
});

describe('inspection and identification', () => {
  test.for([
    ['lar', SEL.code32, 0xc09b00, true],
    ['lar', SEL.tss, 0x008b00, true],
    ['lar', 0, 0, false],
    ['lar', 0x1000, 0, false],
    ['lsl', SEL.data16, 0xffff, true],
    ['lsl', SEL.code32, 0xffff_ffff, true],
  ] as const)('%s of %i', ([name, selector, value, ok]) => {
    const b = start('prot32', `mov ebx, ${selector}\n${name} eax, ebx\nsetz cl\nud2`);
    expect([b.reg(0), b.reg(1)]).toEqual([BigInt(ok ? (name === 'lar' ? value & 0xf0ff00 : value) : 0), ok ? 1n : 0n]);
  });
  test.for([
    ['verr', SEL.execOnly, false],
    ['verr', SEL.code32, true],
    ['verw', SEL.readOnly, false],
    ['verw', SEL.data32, true],
    ['verw', SEL.code32, false],
  ] as const)('%s of %i', ([name, selector, ok]) => {
    const b = start('prot32', `mov ebx, ${selector}\n${name} bx\nsetz cl\nud2`);
    expect(b.reg(1)).toBe(ok ? 1n : 0n);
  });
  test('ARPL', () => {
    const b = start('prot32', 'mov eax, 0x10\nmov ebx, 3\narpl ax, bx\nsetz cl\narpl ax, bx\nsetz dl\nud2');
    expect([b.reg(0), b.reg(1), b.reg(2)]).toEqual([0x13n, 1n, 0n]);
  });
  test.for([
    [0, 0, [0xd, 0x68747541, 0x444d4163, 0x69746e65]],
    [1, 0, [0x60fb1, 0x800, 0x80002001, 0x78bfbfd]],
    [7, 0, [0, 0, 0, 0]],
    [0xb, 1, [0, 1, 0x201, 0]],
    [0xb, 5, [0, 0, 5, 0]],
    [0x1000, 0, [0, 0, 0, 0]],
    [0x40000000, 0, [0x40000001, 0x54474354, 0x43544743, 0x47435447]],
    [0x80000001, 0, [0x60fb1, 0, 1, 0x2193fbfd]],
    [0x80000008, 0, [0x3028, 0, 0, 0]],
  ] as const)('CPUID %i.%i', ([leaf, sub, expected]) => {
    const b = start('user64', `mov eax, ${leaf}\nmov ecx, ${sub}\ncpuid\nud2`);
    expect([0, 3, 1, 2].map((r) => Number(b.reg(r)))).toEqual(expected);
  });
});

test('from real mode to 64-bit mode as a boot loader does it', () => {
  const b = new Box();
  b.enter('long');
  b.enter('real');
  b.write64(AT.pml4, BigInt(AT.pml4 + 0x1000) | 7n);
  b.code(
    'real',
    `lgdt [0x5200]
mov eax, cr4
or eax, 0x20
mov cr4, eax
mov eax, ${AT.pml4}
mov cr3, eax
mov ecx, 0xc0000080
rdmsr
or eax, 0x900
wrmsr
mov eax, cr0
or eax, 0x80000001
mov cr0, eax
jmp dword ${SEL.code64}:0x5100`,
  );
  b.code('long', 'mov ecx, 0xc0000080\nrdmsr\nmov r8, cs\nmov r9, 0x1122334455667788\nhlt', 0x5100);
  b.view.setUint16(0x5200, 0xff, true);
  b.write32(0x5202, AT.gdt);
  // long mode tables: reuse the fixture's GDT and paging
  expect(b.run()).toBe(1);
  expect([b.reg(0), b.reg(8), b.reg(9)]).toEqual([0xd00n, BigInt(SEL.code64), 0x1122334455667788n]);
});

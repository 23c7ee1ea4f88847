import { describe, expect, test } from 'vitest';
import { X86Debug } from '../../src/debug/x86-debug.ts';
import { AT, Box, type Mode } from '../system/box.ts';

const DEBUG = 4;
const HALT = 1;

class Debugged extends Box {
  readonly debug: X86Debug;

  constructor(mode: Mode, code: string) {
    super();
    this.enter(mode);
    this.code(mode, code);
    const box = this;
    this.debug = new X86Debug({
      state: this.state,
      cr8: 0,
      get rflags() {
        return box.cpu.rflags;
      },
      set rflags(value) {
        box.cpu.rflags = value;
      },
      stateChanged: () => this.cpu.stateChanged(),
      peek: (linear) => {
        const at = this.cpu.translateDebug(linear);
        return at === undefined ? undefined : this.read64(at);
      },
    });
  }

  /** Offset of the next instruction in the code. */
  get at(): number {
    return Number(this.state.getBig('rip')) - AT.code;
  }

  go(budget = 10_000): number {
    return this.cpu.run(budget);
  }
}

const MODES = ['long', 'user64', 'prot32', 'prot16', 'real'] as const;

describe('breakpoints', () => {
  test.for(MODES)('%s: stops before the instruction, every time', (mode) => {
    const b = new Debugged(mode, 'mov cx, 3\nagain: inc ax\ndec cx\njnz again\nhlt');
    const start = b.at;
    expect(b.debug.step(true, false)).toBeUndefined();
    expect(b.go()).toBe(DEBUG);
    const inc = b.at;
    b.debug.step(false, false);
    const base = b.state.getBig('segEff', 1);
    expect(inc).toBeGreaterThan(start);
    b.debug.setBreakpoint(base + BigInt(inc + AT.code));
    for (const expected of [0, 1, 2]) {
      expect(b.go()).toBe(DEBUG);
      expect([b.at, Number(b.reg(0)), b.debug.stop?.kind]).toEqual([inc, expected, 'breakpoint']);
      b.debug.clearBreakpoint(base + BigInt(inc + AT.code));
      b.debug.step(true, false);
      expect(b.go()).toBe(DEBUG);
      expect([Number(b.reg(0)), b.debug.stop]).toEqual([expected + 1, { kind: 'step' }]);
      b.debug.step(false, false);
      b.debug.setBreakpoint(base + BigInt(inc + AT.code));
    }
    b.debug.clearAll();
    expect(b.state.get('hostDebug')).toBe(0);
    if (mode !== 'user64') expect(b.go()).toBe(HALT);
  });

  test('a page that is entered at full speed, by a jump, a call and by falling into it', () => {
    const page = AT.code + 0x1000;
    for (const way of ['jmp r8', `call ${page}`, `jmp ${page - 3}`, 'mov rax, r8\njmp rax']) {
      const b = new Debugged('long', `mov r8d, ${page}\nmov ecx, 100\nagain: dec ecx\njnz again\n${way}`);
      b.code('long', 'nop\nnop\nnop\ninc eax\ninc eax\ninc eax\nhlt', page - 3);
      b.state.setBig('rip', BigInt(AT.code));
      b.debug.setBreakpoint(BigInt(page + 2));
      expect([way, b.go(), b.at]).toEqual([way, DEBUG, 0x1002]);
    }
  });

  test('one set in code that has run at full speed', () => {
    const b = new Debugged('long', 'again: inc eax\njmp again');
    expect(b.go(1001)).toBe(0);
    b.debug.setBreakpoint(BigInt(AT.code));
    expect([b.go(), b.at]).toEqual([DEBUG, 0]);
    expect(b.cpu.executed).toBe(1);
  });

  test('counts instructions right, and a budget ends between', () => {
    const b = new Debugged('long', 'again: inc eax\njmp again');
    b.debug.setBreakpoint(BigInt(AT.code + 0x40));
    expect([b.go(777), b.cpu.executed, b.reg(0)]).toEqual([0, 777, 389n]);
  });

  test('survive a reset that restores', () => {
    const b = new Debugged('long', 'nop\nnop\nhlt');
    b.debug.setBreakpoint(BigInt(AT.code + 1));
    b.state.set('hostDebug', 0);
    b.state.set('hostBreaks', 0);
    b.debug.restore();
    expect([b.go(), b.at]).toEqual([DEBUG, 1]);
  });

  test('there is room for 128', () => {
    const b = new Debugged('long', 'nop');
    for (let i = 0; i < 128; i++) expect(b.debug.setBreakpoint(BigInt(i))).toBe(true);
    expect([b.debug.setBreakpoint(5n), b.debug.setBreakpoint(128n)]).toEqual([true, false]);
  });
});

describe('steps', () => {
  test('one instruction, and the guest sees no TF', () => {
    const b = new Debugged('long', 'pushfq\npop rax\nnop\nhlt');
    b.debug.step(true, false);
    for (const at of [1, 2, 3]) expect([b.go(), b.at]).toEqual([DEBUG, at]);
    expect(b.reg(0) & 0x100n).toBe(0n);
  });

  test('an instruction that faults ends at the handler', () => {
    const b = new Debugged('long', 'ud2');
    b.debug.step(true, false);
    expect([b.go(), Number(b.state.getBig('rip'))]).toEqual([DEBUG, AT.handlers + 6 * 16]);
  });

  test("the guest's own single step goes on", () => {
    const b = new Debugged('long', 'pushfq\nor dword [rsp], 0x100\npopfq\nnop\nnop');
    b.debug.step(true, false);
    for (let i = 0; i < 3; i++) b.go();
    expect([b.go(), Number(b.state.getBig('rip'))]).toEqual([DEBUG, AT.handlers + 16]);
    expect(b.state.getBig('dr', 6) & 0x4000n).toBe(0x4000n);
  });

  test.for([true, false])('a pending interrupt is taken meanwhile: %s', (interrupts) => {
    const b = new Debugged('long', 'nop\nnop');
    b.vector = 0x40;
    b.state.set('eflags', 0x202);
    b.cpu.setInterruptLine(true);
    b.debug.step(true, interrupts);
    // the handler is a HLT
    if (interrupts) expect([b.go(), b.stoppedAt]).toEqual([HALT, 0x40]);
    else expect([b.go(), b.at]).toEqual([DEBUG, 1]);
  });

  test('over HLT ends when the processor wakes', () => {
    const b = new Debugged('long', 'hlt\nnop');
    b.debug.step(true, false);
    expect(b.go()).toBe(HALT);
    expect(b.go()).toBe(HALT);
    b.state.set('eflags', 0x202);
    b.cpu.setInterruptLine(true);
    expect([b.go(), b.at]).toEqual([DEBUG, 1]);
  });
});

describe('watchpoints', () => {
  const data = BigInt(AT.data);
  test.for([
    ['a write in the range', 'write', `mov byte [${AT.data + 2}], 1`, true],
    ['a write before it', 'write', `mov byte [${AT.data - 1}], 1`, false],
    ['a wide write that reaches it', 'write', `mov [${AT.data - 4}], rax`, true],
    ['a read, watching writes', 'write', `mov eax, [${AT.data}]`, false],
    ['a read, watching reads', 'read', `mov eax, [${AT.data}]`, true],
    ['a write, watching reads', 'read', `mov [${AT.data}], eax`, false],
    ['a write, watching both', 'access', `mov [${AT.data}], eax`, true],
    ['a read-modify-write, watching reads', 'read', `inc dword [${AT.data}]`, true],
    ['a read-modify-write, watching writes', 'write', `inc dword [${AT.data}]`, true],
    ['a push', 'write', `push rax`, true],
    ['a string store', 'write', `stosq`, true],
    ['a store that crosses a page', 'write', `mov [${AT.data - 2}], rax`, true],
  ] as const)('%s', ([, kind, code, hit]) => {
    const b = new Debugged('user64', `nop\n${code}\nnop\nud2`);
    b.state.setBig('regs', BigInt(AT.data + 8), 4);
    b.state.setBig('regs', BigInt(AT.data - 4), 7);
    const watchpoint = { address: data, length: 4, kind };
    b.debug.setWatchpoint(watchpoint);
    const exit = b.go();
    if (!hit) {
      expect([exit, b.stoppedAt]).toEqual([HALT, 6]);
      return;
    }
    expect([exit, b.debug.stop]).toEqual([DEBUG, { kind: 'watchpoint', watchpoint }]);
    expect(b.at).toBeGreaterThan(1);
    expect([b.go(), b.stoppedAt]).toEqual([HALT, 6]);
  });

  test("an instruction that faults does not stop, and the guest's DR6 stays", () => {
    const b = new Debugged('long', `div dword [${AT.data}]`);
    b.debug.setWatchpoint({ address: data, length: 4, kind: 'read' });
    expect([b.go(), b.stoppedAt, b.state.getBig('dr', 6) & 0xfn]).toEqual([HALT, 0, 0n]);
  });

  test('cleared ones cost nothing', () => {
    const b = new Debugged('long', `mov [${AT.data}], eax\nud2`);
    const fast = b.state.get('tlbBase');
    b.debug.setWatchpoint({ address: data, length: 4, kind: 'write' });
    expect(b.state.get('tlbBase')).not.toBe(fast);
    b.debug.clearWatchpoint({ address: data, length: 4, kind: 'write' });
    expect([b.state.get('tlbBase'), b.go()]).toEqual([fast, HALT]);
  });
});

describe('registers', () => {
  const all = (b: Debugged) => b.debug.view().features.flatMap(({ registers }) => registers);
  const named = (b: Debugged, name: string) => all(b).find((register) => register.name === name)!;

  test('gdb gets its features for 64 bits in long mode and after a reset, for 32 under a 32-bit system', () => {
    const long = new Debugged('long', 'nop').debug.view();
    expect(long.architecture).toBe('i386:x86-64');
    expect(long.features.map(({ name }) => name)).toEqual([
      'org.gnu.gdb.i386.core',
      'org.gnu.gdb.i386.sse',
      'org.gnu.gdb.i386.segments',
      'org.sterna.x86.system',
    ]);
    expect(long.features[0]!.registers).toHaveLength(40);
    const real = new Debugged('real', 'nop');
    expect(real.debug.view().architecture).toBe('i386:x86-64');
    real.state.setBig('eferValid', 0n);
    const small = real.debug.view();
    expect(small.architecture).toBe('i386');
    expect(small.features[0]!.registers.slice(0, 9).map(({ name }) => name)).toEqual(
      'eax ecx edx ebx esp ebp esi edi eip'.split(' '),
    );
  });

  test('every register takes what it gave', () => {
    for (const mode of ['long', 'user64', 'prot32', 'vm86'] as const) {
      const b = new Debugged(mode, 'nop');
      for (const register of all(b)) {
        const value = register.read();
        register.write(value);
        expect([mode, register.name, register.read()]).toEqual([mode, register.name, value]);
        expect(value >> BigInt(register.bits)).toBe(0n);
      }
    }
  });

  test('values reach the program', () => {
    const b = new Debugged('long', 'add rax, rbx\npaddb xmm3, xmm3\nfaddp\nhlt');
    named(b, 'rbx').write(0x1234_5678_9abc_def0n);
    named(b, 'xmm3').write(0x0101_0101_0101_0101_0202_0202_0202_0202n);
    named(b, 'ftag').write(0x0fffn);
    named(b, 'fstat').write(6n << 11n);
    const one = (0x3fffn << 64n) | (1n << 63n);
    named(b, 'st0').write(one);
    named(b, 'st1').write(one);
    expect(b.go()).toBe(HALT);
    expect(b.reg(0)).toBe(0x1234_5678_9abc_def0n);
    expect(named(b, 'xmm3').read()).toBe(0x0202_0202_0202_0202_0404_0404_0404_0404n);
    expect([named(b, 'st0').read(), named(b, 'fstat').read() >> 11n]).toEqual([one + (1n << 64n), 7n]);
  });

  test('a selector brings its descriptor, an impossible one is refused', () => {
    const b = new Debugged('prot32', 'mov eax, [fs:0]');
    named(b, 'fs').write(0x10n);
    expect([b.state.getBig('segBase', 4), b.state.get('segLimit', 4)]).toEqual([
      b.state.getBig('segBase', 3),
      b.state.get('segLimit', 3),
    ]);
    named(b, 'fs').write(0xfff8n);
    expect(named(b, 'fs').read()).toBe(0x10n);
  });
});

import { describe, expect, test } from 'vitest';
import { AT, Box, type Mode, SEL } from './box.ts';

/** Runs code with DR0 at an address and DR7 set; #DB stops at its handler. */
function run(mode: Mode, code: string, address: number, dr7: number, setup: (b: Box) => void = () => {}): Box {
  const b = new Box();
  b.enter(mode);
  b.code(mode, code);
  b.state.setBig('dr', BigInt(address));
  b.state.setBig('dr', BigInt(dr7 | 0x400), 7);
  setup(b);
  expect(b.run()).toBe(1);
  return b;
}
const dr6 = (b: Box): number => Number(b.state.getBig('dr', 6) & 0xffffn) & 0xe00f;
const pushed = (b: Box): number => b.read32(Number(b.reg(4))) - AT.code;

const ENABLE = 1;
const WRITE = 0x1_0000;
const ACCESS = 0x3_0000;
const IO = 0x2_0000;
const BYTES4 = 0xc_0000;

describe('breakpoints', () => {
  test.for(['long', 'prot32', 'user64'] as const)('%s: an instruction breakpoint is a fault', (mode) => {
    const b = run(mode, 'mov eax, 1\nmov eax, 2\nud2', AT.code + 5, ENABLE);
    expect({ vector: b.stoppedAt, eax: b.reg(0), at: pushed(b), dr6: dr6(b) }).toEqual({
      vector: 1,
      eax: 1n,
      at: 5,
      dr6: 1,
    });
  });

  test('RF in the returned flags passes it once', () => {
    const b = run('long', 'mov eax, 1\nagain: inc eax\ncmp eax, 3\njne again\nhlt', AT.code + 5, ENABLE, (x) => {
      x.code('long', 'inc r8\nor dword [rsp+16], 0x10000\niretq', AT.code + 0x100);
      x.gate64(1, SEL.code64, AT.code + 0x100, 0x8e00);
    });
    expect([b.reg(0), b.reg(8)]).toEqual([3n, 2n]);
    expect(b.state.get('eflags') & 0x1_0000).toBe(0);
  });

  test('a disabled one does nothing', () => {
    expect(run('long', 'nop\nnop\nud2', AT.code + 1, 0).stoppedAt).toBe(6);
  });

  test.for([
    ['a write in the range', WRITE | BYTES4, `mov byte [${AT.data + 2}], 1\nnop`, true],
    ['a write before it', WRITE | BYTES4, `mov byte [${AT.data - 1}], 1\nnop`, false],
    ['a wide write that reaches it', WRITE | BYTES4, `mov [${AT.data - 4}], rax\nnop`, true],
    ['a write behind it', WRITE | BYTES4, `mov [${AT.data + 4}], eax\nnop`, false],
    ['a read, watching writes', WRITE | BYTES4, `mov eax, [${AT.data}]\nnop`, false],
    ['a read, watching both', ACCESS | BYTES4, `mov eax, [${AT.data}]\nnop`, true],
    ['a read-modify-write', WRITE | BYTES4, `inc dword [${AT.data}]\nnop`, true],
    ['a string store', WRITE | BYTES4, `mov edi, ${AT.data - 4}\nmov ecx, 3\nrep stosd\nnop`, true],
    ['a push', WRITE | BYTES4, `mov esp, ${AT.data + 8}\npush rax\nnop`, true],
  ] as const)('%s', ([, bits, code, hit]) => {
    const b = run('long', `${code}\nud2`, AT.data, ENABLE | bits);
    expect([b.stoppedAt, dr6(b)]).toEqual(hit ? [1, 1] : [6, 0]);
  });

  test('a data breakpoint is a trap: the write is done', () => {
    const b = run('user64', `mov eax, 7\nmov [${AT.data}], eax\nnop\nud2`, AT.data, ENABLE | WRITE | BYTES4);
    expect([b.stoppedAt, pushed(b), b.read32(AT.data)]).toEqual([1, 12, 7]);
  });

  test('a fault of the instruction wins over its data breakpoint', () => {
    const b = run('user64', `mov [${AT.data}], eax\nud2`, AT.data, ENABLE | WRITE | BYTES4, (x) => {
      x.write64(x.pte(AT.data), BigInt(AT.data) | 5n);
    });
    expect([b.stoppedAt, dr6(b)]).toEqual([14, 0]);
  });

  test.for([
    [8, [1, 1]],
    [0, [6, 0]],
  ] as const)('a port, with CR4.DE = %i', ([de, expected]) => {
    const b = run('long', 'mov dx, 0x80\nout dx, al\nnop\nud2', 0x80, ENABLE | IO, (x) => {
      x.state.setBig('cr4', 0x620n | BigInt(de));
    });
    expect([b.stoppedAt, dr6(b)]).toEqual(expected);
  });

  test('together with a single step', () => {
    const b = run('long', `pushfq\nor dword [rsp], 0x100\npopfq\nmov [${AT.data}], eax\nnop`, AT.data, ENABLE | WRITE);
    expect([b.stoppedAt, dr6(b)]).toEqual([1, 0x4001]);
  });
});

const TRACE = 'pushfq\nor dword [rsp], 0x100\nmov eax, ss\npopfq\n';

describe('traps that wait', () => {
  /** Where #DB came: offset of the pushed RIP in the code, and DR6. */
  function trap(code: string, dr7 = 0): { at: number; dr6: number; vector: number } {
    const b = run('long', `${code}\nnop\nnop\nud2`, AT.data, dr7, (x) => x.write32(AT.data, SEL.data32));
    return { at: pushed(b), dr6: dr6(b), vector: b.stoppedAt };
  }
  const length = (code: string): number => new Box().code('long', code, AT.code);

  test('a single step of STI comes at once', () => {
    const code = `${TRACE}sti`;
    expect(trap(code)).toEqual({ at: length(code), dr6: 0x4000, vector: 1 });
  });
  test('a single step of MOV SS waits for the next instruction', () => {
    const code = `${TRACE}mov ss, eax\nnop`;
    expect(trap(code)).toEqual({ at: length(code), dr6: 0x4000, vector: 1 });
  });
  test('the data breakpoint of MOV SS waits for the next instruction', () => {
    const code = `mov ss, [${AT.data}]\nnop`;
    expect(trap(code, ENABLE | ACCESS)).toEqual({ at: length(code), dr6: 1, vector: 1 });
  });
  test('ICEBP takes the data breakpoint of MOV SS along', () => {
    const code = `mov ss, [${AT.data}]\ndb 0xf1`;
    expect(trap(code, ENABLE | ACCESS)).toEqual({ at: length(code), dr6: 1, vector: 1 });
  });
  test('a single step of MOV SS is lost before ICEBP', () => {
    const code = `${TRACE}mov ss, eax\ndb 0xf1`;
    expect(trap(code)).toEqual({ at: length(code), dr6: 0, vector: 1 });
  });
  test.each([
    ['Intel: no', 1, 6],
    ['AMD: an', 0, 1],
  ])('%s instruction breakpoint after MOV SS', (_name, intel, vector) => {
    const code = 'mov eax, ss\nmov ss, eax\n';
    const set = (x: Box) => x.state.set('intelRules', intel);
    const b = run('long', `${code}nop\nud2`, AT.code + length(code), ENABLE, set);
    expect(b.stoppedAt).toBe(vector);
  });
  test('a breakpoint replaces the bits of earlier ones in DR6, and no others', () => {
    const set = (x: Box) => x.state.setBig('dr', 0xffff_4ff2n, 6);
    expect(dr6(run('long', 'nop', AT.code, ENABLE, set))).toBe(0x4001);
  });
  test('a single step ends HLT', () => {
    const code = `${TRACE}hlt`;
    expect(trap(code)).toEqual({ at: length(code), dr6: 0x4000, vector: 1 });
  });
  test('#DB clears GD', () => {
    const b = run('long', 'nop\nud2', AT.code, ENABLE | 0x2000);
    expect([b.stoppedAt, Number(b.state.getBig('dr', 7) & 0x2000n)]).toEqual([1, 0]);
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AssemblerError, assemble } from '../../src/asm/index.ts';

const hex = (source: string, bits: 16 | 32 | 64 = 64): string =>
  Buffer.from(assemble(source, { bits }).bytes).toString('hex');

const errorOf = (source: string): string => {
  try {
    assemble(source, { bits: 64, file: 'x.asm' });
  } catch (error) {
    if (error instanceof AssemblerError) return error.message;
    throw error;
  }
  return 'no error';
};

describe('statements', () => {
  it('assembles instructions, data and labels', () => {
    const { bytes, symbols, origin } = assemble(
      'org 0x7c00\nstart: mov ax, data\nhlt\ndata: db "Hi", 0, 1.5 - 0.5 + 0 > 0'.replace(', 1.5 - 0.5 + 0 > 0', ''),
    );
    expect(Buffer.from(bytes).toString('hex')).toBe('b8047cf4486900');
    expect(symbols).toEqual(
      new Map([
        ['start', 0x7c00n],
        ['data', 0x7c04n],
      ]),
    );
    expect(origin).toBe(0x7c00n);
  });

  it('gives local labels to the label before them', () => {
    const { symbols } = assemble('a: nop\n.x: nop\nb: nop\n.x: jmp a.x', { bits: 64, origin: 0x10 });
    expect([...symbols]).toEqual([
      ['a', 0x10n],
      ['a.x', 0x11n],
      ['b', 0x12n],
      ['b.x', 0x13n],
    ]);
  });

  it('takes the short jump where it reaches, also forward', () => {
    expect(hex('jmp x\ntimes 127 db 0\nx:').slice(0, 4)).toBe('eb7f');
    expect(hex('jmp x\ntimes 128 db 0\nx:').slice(0, 10)).toBe('e980000000');
  });

  it('settles addresses that depend on each other', () => {
    const { symbols } = assemble('jmp c\na: times 120 nop\njmp a\nb: jmp a\nc: times c - a db 0\nd:', { bits: 64 });
    expect(symbols.get('d')! - symbols.get('c')!).toBe(symbols.get('c')! - symbols.get('a')!);
  });

  it('reserves, aligns and fills', () => {
    expect(hex('db 1\nalign 4\ndb 2\nalign 8, db 0xcc\nresw 1\ndb 3')).toBe('0190909002cccccc000003');
    expect(hex('times 3 dw 0x1234')).toBe('341234123412');
    expect(hex('times 4 - ($ - $$) db 9')).toBe('09090909');
  });

  it('lays sections out one after the other, .bss without content', () => {
    const { bytes, symbols } = assemble(
      'org 0x1000\nsection .data\nd: db 1\nsection .text\nt: db 2, 3\nsection .bss\nz: resb 100\nsection .text\ndb 4',
    );
    expect([...bytes]).toEqual([2, 3, 4, 0, 1]);
    expect(symbols.get('d')).toBe(0x1004n);
    expect(symbols.get('z')).toBe(0x1008n);
  });

  it('defines structures', () => {
    const { symbols } = assemble('struc point\n.x: resd 1\n.y: resd 1\nendstruc\nmov eax, [rbx + point.y]', {
      bits: 64,
    });
    expect(symbols.get('point.y')).toBe(4n);
    expect(symbols.get('point_size')).toBe(8n);
  });

  it('encodes floating-point data like the host', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (number) => {
        const digits = number.toExponential();
        const text = Object.is(number, -0) ? '-0.0' : digits.includes('.') ? digits : digits.replace('e', '.0e');
        const bytes = new Uint8Array(12);
        const view = new DataView(bytes.buffer);
        view.setFloat64(0, number, true);
        view.setFloat32(8, number, true);
        expect(hex(`dq ${text}\ndd ${text}`)).toBe(Buffer.from(bytes).toString('hex'));
      }),
    );
    expect(hex('dt 1.0, -0.1, 3.141592653589793238462643')).toBe(
      '0000000000000080ff3f' + 'cdccccccccccccccfbbf' + '35c26821a2da0fc90040',
    );
  });
});

describe('expressions', () => {
  it.each([
    ['1 + 2 * 3', 7n],
    ['(1 + 2) * 3', 9n],
    ['-1 >> 60', 15n],
    ['7 // -2', -3n],
    ['-7 % 4', 1n],
    ['-7 %% 4', -3n],
    ['1 << 4 | 1', 17n],
    ['3 > 2 && 2 > 3 || 1 = 1', 1n],
    ['~0 & 0xff', 255n],
    ['1 ? 5 : 6', 5n],
    ["'AB'", 0x4241n],
    ['0b1010 + 0o17 + 17q + 0ffh + $10 + 1_000', 1311n],
  ])('%s', (text, value) => {
    expect(assemble(`x equ ${text}`).symbols.get('x')).toBe(value);
  });

  it('keeps 64 bits', () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
        fc.bigInt({ min: 1n, max: 2n ** 63n - 1n }),
        (a, b) => {
          const { symbols } = assemble(`s equ ${a} + ${b}\np equ ${a} * ${b}\nq equ ${a} // ${b}`);
          expect(symbols.get('s')).toBe(BigInt.asIntN(64, a + b));
          expect(symbols.get('p')).toBe(BigInt.asIntN(64, a * b));
          expect(symbols.get('q')).toBe(a / b);
        },
      ),
    );
  });
});

describe('preprocessor', () => {
  it('expands definitions with and without arguments', () => {
    expect(hex('%define two 2\n%define add2(x, y) (x + y + two)\ndb add2(1, 3), two')).toBe('0602');
    expect(hex('%define a b\n%xdefine c a\n%define b 7\ndb a\n%define b 8\ndb a')).toBe('0708');
  });

  it('repeats, counts and joins names', () => {
    expect(hex('%assign i 0\n%rep 3\nmovaps xmm%[i], xmm%[i]\n%assign i i + 1\n%endrep')).toBe('0f28c00f28c90f28d2');
    expect(hex('%assign i 0\n%rep 9\n%if i = 2\n%exitrep\n%endif\ndb i\n%assign i i+1\n%endrep')).toBe('0001');
  });

  it('expands macros with defaults, labels of their own and lists', () => {
    expect(hex('%macro pair 1-2 9\ndb %1, %2, %0\n%endmacro\npair 1\npair 1, 2')).toBe('010902010202');
    expect(hex('%macro spin 0\n%%again: jmp %%again\n%endmacro\nspin\nspin')).toBe('ebfeebfe');
    expect(hex('%macro all 1-*\n%rep %0\ndb %1\n%rotate 1\n%endrep\n%endmacro\nall 5')).toBe('05');
    expect(hex('%macro text 1+\ndb %1\n%endmacro\ntext "a", "b", 0')).toBe('616200');
  });

  it('chooses by condition', () => {
    const source =
      '%ifdef A\ndb 1\n%elif B > 1\ndb 2\n%else\ndb 3\n%endif\n%ifidn x, x\ndb 4\n%endif\n%ifnum 5\ndb 5\n%endif';
    expect([...assemble(source, { defines: { B: 2 } }).bytes]).toEqual([2, 4, 5]);
    expect([...assemble(source, { defines: { A: '', B: 0 } }).bytes]).toEqual([1, 4, 5]);
    expect([...assemble(source, { defines: { B: 0 } }).bytes]).toEqual([3, 4, 5]);
  });

  it('includes what the caller provides', () => {
    const include = (name: string): string => (name === 'b.inc' ? 'db 7' : 'db 0');
    expect([...assemble('%include "b.inc"', { include }).bytes]).toEqual([7]);
  });
});

describe('errors name file, line and reason', () => {
  it.each([
    ['nop\nfoo eax', "x.asm:2: unknown instruction 'foo'"],
    ['mov [rax], 5', 'x.asm:1: the size of the memory operand is not given (byte, word, dword, qword ...)'],
    ['mov eax, rbx', 'x.asm:1: mov does not take these operands in 64-bit code'],
    ['mov eax, 1, 2', 'x.asm:1: mov does not take 3 operands'],
    ['pusha', 'x.asm:1: pusha does not exist in 64-bit code'],
    ['jmp nowhere', 'x.asm:1: symbol nowhere is not defined'],
    ['a: nop\na: nop', 'x.asm:2: a is already defined in x.asm:1'],
    ['mov al, 256', 'x.asm:1: 256 does not fit a byte'],
    ['add rax, 0x80000000', 'x.asm:1: 0x80000000 does not fit a signed 32-bit immediate'],
    ['mov eax, [0xfee00000]', 'x.asm:1: displacement 0xfee00000 does not fit'],
    ['mov ah, r8b', 'x.asm:1: ah cannot be used in an instruction that needs a REX prefix'],
    ['mov eax, [rax + rbx + rcx]', 'x.asm:1: an address has at most two registers'],
    ['mov eax, [rax * 7]', 'x.asm:1: an index cannot have the factor 7'],
    ['mov eax, [bx]', 'x.asm:1: a 16-bit address cannot be used in 64-bit code'],
    ['loop x\ntimes 200 nop\nx:', 'x.asm:1: the target is 200 bytes away, too far for this jump'],
    ['db "abc', 'x.asm:1: a string is not closed on its line'],
    ['db 1 / 0', 'x.asm:1: division by zero'],
    ['%if 1', 'x.asm:1: %endif is missing'],
    ['%endif', 'x.asm:1: %endif without %if'],
    ['%macro m 1\n%endmacro\nm', 'x.asm:3: macro m does not take 0 arguments'],
    ['%rep 2\nnop', 'x.asm:1: %rep is not closed by %endrep'],
    ['%error no way', 'x.asm:1: no way'],
    ['x equ y\ny equ x\ndd x', 'x.asm:1: y has no value'],
    ['times -1 nop', 'x.asm:1: a count cannot be -1'],
  ])('%j', (source, message) => {
    expect(errorOf(source)).toBe(message);
  });
});

/**
 * What emulators of this processor get wrong, one hot loop each: interpreted and translated, against what the manual
 * says. Expectations are computed here, not by either of the two.
 */
import { assemble } from '@sterna/guests';
import { beforeAll, describe, expect, it } from 'vitest';
import { X86Engine } from '../../src/engine.ts';
import { JIT_DEFAULTS } from '../../src/jit/jit-options.ts';
import { prepareInterpreter } from '../../src/node/index.ts';
import { Rig } from '../rig.ts';
import { jitOf } from './translated.ts';

beforeAll(() => void prepareInterpreter());

/** Where results go; nothing else is there. */
const RESULTS = 0x2_0000;
const ROUNDS = 300;

/** Descriptor tables: #DE and #DB lead to the labels `divide_error` and `debug` where the source has them. */
const TABLES = `
  lgdt [gdt_pointer]
  lidt [idt_pointer]
  jmp main
align 8
gdt: dq 0, 0, 0x00af9b000000ffff, 0x00cf93000000ffff
gdt_pointer: dw 31
  dq gdt
idt:
  dw divide_error, 0x10, 0x8e00, 0
  dq 0
  dw debug, 0x10, 0x8e00, 0
  dq 0
idt_pointer: dw 31
  dq idt
`;

interface Outcome {
  readonly rig: Rig;
  readonly executed: number;
  /** Longest slice, in instructions. */
  readonly longest: number;
  u32(index: number): number;
  u64(index: number): bigint;
}

function run(source: string, threshold: number, prepare: (rig: Rig) => void = () => {}): Outcome {
  const rig = new Rig(1 << 20, {}, (memory) => new X86Engine(memory, { ...JIT_DEFAULTS, threshold }));
  rig.mode(64);
  prepare(rig);
  rig.bytes.set(assemble(`bits 64\norg 0x1000\n${source}`).bytes, rig.at(0x1000));
  rig.cpu.state.setBig('rip', 0x1000n);
  rig.cpu.state.setBig('regs', 0xf000n, 4);
  let [executed, longest] = [0, 0];
  for (let exit = 0, slices = 0; exit !== 1; slices++) {
    exit = rig.cpu.run(500);
    executed += rig.cpu.executed;
    longest = Math.max(longest, rig.cpu.executed);
    if ((exit !== 0 && exit !== 1) || slices > 20_000)
      throw new Error(`exit ${exit} at ${rig.cpu.state.getBig('rip').toString(16)}`);
  }
  const at = rig.at(RESULTS);
  return {
    rig,
    executed,
    longest,
    u32: (index) => rig.view.getUint32(at + index * 4, true),
    u64: (index) => rig.view.getBigUint64(at + index * 8, true),
  };
}

/** Runs a source interpreted and translated; both must end alike. Answers the translated one. */
function both(source: string, prepare?: (rig: Rig) => void): Outcome {
  const plain = run(source, 0, prepare);
  const hot = run(source, 20, prepare);
  expect(jitOf(hot.rig).statistics.regions).toBeGreaterThan(0);
  expect(hot.executed).toBe(plain.executed);
  const memory = ({ rig }: Outcome) => Buffer.from(rig.bytes.slice(rig.at(RESULTS), rig.at(RESULTS + 0x1_0000)));
  expect(memory(hot).equals(memory(plain))).toBe(true);
  return hot;
}

/** A loop with r15 as its counter from 0 to {@link ROUNDS}, and rdi = place of the round's 8 bytes of results. */
const loop = (body: string, before = '', more = ''): string => `
main:
  xor r15d, r15d
  ${before}
again:
  mov ecx, r15d
  lea rdi, [${RESULTS} + r15*8]
  ${body}
  inc r15d
  cmp r15d, ${ROUNDS}
  jne again
  hlt
${more}`;

describe('addresses', () => {
  it('end at 64 bits, or at 32 with an address size prefix', () => {
    const r = both(
      loop(`
        mov rbx, -0x1000
        lea rdx, [${RESULTS + 0x1000 + 0x8000} + rcx*4]
        mov [${RESULTS + 0x8000} + rcx*4], ecx
        mov eax, [rbx + rdx]            ; wraps at 64 bits
        mov r8, 0x1234567800000000
        lea r8, [r8 + ${RESULTS + 0x8000} + rcx*4]
        mov r9d, [r8d]                  ; upper half ignored
        add eax, r9d
        mov [rdi], rax`),
    );
    for (let i = 0; i < ROUNDS; i++) expect(r.u64(i)).toBe(BigInt(2 * i));
  });

  it('of operands across two pages, and at the edge of one', () => {
    const r = both(
      loop(`
        mov edx, ecx
        and edx, 15
        lea rsi, [0x30ff4 + rdx]        ; 12 bytes before the page's end to 3 behind it
        mov rax, 0x0102030405060708
        add rax, rcx
        mov [rsi], rax
        mov [rsi + 8], rax
        mov rbx, [rsi + 4]
        mov [rdi], rbx`),
    );
    for (let i = 0; i < ROUNDS; i++) {
      const value = 0x0102030405060708n + BigInt(i);
      expect(r.u64(i)).toBe((value >> 32n) | ((value & 0xffffffffn) << 32n));
    }
  });
});

describe('registers', () => {
  it('are cleared above by 32-bit writes, kept by 8- and 16-bit ones, and AH is not SPL', () => {
    const r = both(
      loop(`
        mov rax, -1
        mov eax, ecx
        mov rbx, -1
        mov bx, cx
        mov rdx, -1
        mov dh, cl
        mov rsi, -1
        mov sil, cl
        xor rax, rbx
        xor rax, rdx
        xor rax, rsi
        mov [rdi], rax`),
    );
    for (let i = 0; i < ROUNDS; i++) {
      const c = BigInt(i);
      const merged = (shift: bigint, bits: bigint) =>
        (0xffff_ffff_ffff_ffffn & ~(((1n << bits) - 1n) << shift)) | ((c & ((1n << bits) - 1n)) << shift);
      expect(r.u64(i)).toBe(c ^ merged(0n, 16n) ^ merged(8n, 8n) ^ merged(0n, 8n));
    }
  });
});

/** Shifts and rotations bit by bit. Answers [value, carry]. */
function shifted(name: string, bits: number, value: number, count: number, carry: number): readonly [number, number] {
  const top = 2 ** (bits - 1);
  const mask = 2 ** bits - 1;
  let v = value & mask;
  for (let n = count & 31; n > 0; n--) {
    const [low, high] = [v & 1, v >>> (bits - 1)];
    switch (name) {
      case 'shl':
        [v, carry] = [(v << 1) & mask, high];
        break;
      case 'shr':
        [v, carry] = [v >>> 1, low];
        break;
      case 'sar':
        [v, carry] = [(v >>> 1) | (high ? top : 0), low];
        break;
      case 'rcl':
        [v, carry] = [((v << 1) & mask) | carry, high];
        break;
      case 'rcr':
        [v, carry] = [(v >>> 1) | (carry ? top : 0), low];
        break;
    }
  }
  return [v, carry];
}

describe('shifts by more than the operand has bits', () => {
  it.each(['shl', 'shr', 'sar', 'rcl', 'rcr'])('%s of 8 and 16 bits', (name) => {
    const r = both(
      loop(`
        xor edx, edx
        imul eax, ecx, 0x9d37           ; also sets CF, which the next instruction replaces
        mov ebx, eax
        bt ecx, 3
        ${name} al, cl
        setc dl
        bt ecx, 3
        ${name} bx, cl
        setc dh
        movzx eax, al
        mov [rdi], ax
        mov [rdi + 2], bx
        mov [rdi + 4], edx`),
    );
    for (let i = 0; i < ROUNDS; i++) {
      const start = Math.imul(i, 0x9d37);
      const carry = (i >>> 3) & 1;
      const [byte, byteCarry] = shifted(name, 8, start, i & 0xff, carry);
      const [word, wordCarry] = shifted(name, 16, start, i & 0xff, carry);
      const wanted = BigInt(byte) | (BigInt(word) << 16n) | (BigInt(byteCarry | (wordCarry << 8)) << 32n);
      // A shift beyond the operand's size leaves CF undefined for SHL and SHR; what our processor makes of it is its own.
      const defined = (name !== 'shl' && name !== 'shr') || (i & 31) <= 8;
      const mask = defined ? 0xffff_ffff_ffff_ffffn : 0xffff_ffffn;
      expect(r.u64(i) & mask, `round ${i}`).toBe(wanted & mask);
    }
  });
});

describe('faults in hot code', () => {
  it('division by zero and overflow reach the guest, with the state before the instruction', () => {
    const r = both(
      TABLES +
        loop(
          `
        mov eax, 1000
        xor edx, edx
        mov ebx, ecx
        and ebx, 7                      ; every eighth divisor is zero
        mov r8d, 77
        div ebx
        mov [rdi], rax
        mov rax, 0x8000000000000000
        cqo
        mov rbx, -1
        idiv rbx                        ; overflows always
        add [rdi + 4], r9d`,
          'xor r9d, r9d',
          `
divide_error:
  inc r9d
  cmp rax, 1000
  jne .overflow
  mov eax, r8d
  add qword [rsp], 2                    ; over div ebx
  iretq
.overflow:
  add qword [rsp], 3
  iretq
debug: hlt`,
        ),
    );
    let faults = 0;
    for (let i = 0; i < ROUNDS; i++) {
      faults += (i & 7) === 0 ? 2 : 1;
      expect([r.u32(i * 2), r.u32(i * 2 + 1)]).toEqual([(i & 7) === 0 ? 77 : Math.floor(1000 / (i & 7)), faults]);
    }
  });

  it('a trap flag that is set in the middle traps after each instruction from the next one on', () => {
    const r = both(
      TABLES +
        loop(
          `
        xor r10d, r10d
        pushfq
        or qword [rsp], 0x100
        popfq
        nop
        add eax, ecx
        pushfq
        and qword [rsp], ~0x100
        popfq
        mov [rdi], r10`,
          '',
          `
debug:
  inc r10d
  iretq
divide_error: hlt`,
        ),
    );
    // nop, add, pushfq, and, popfq: the last one traps too, for the flag was set when it began
    for (let i = 0; i < ROUNDS; i++) expect(r.u64(i)).toBe(5n);
  });
});

describe('floating point', () => {
  it('keeps payloads, quiets signalling NaNs, takes the second operand of MIN, and has one indefinite integer', () => {
    const r = both(
      loop(
        `
        mov eax, ecx
        and eax, 3
        movsd xmm0, [left + rax*8]
        movsd xmm1, [right + rax*8]
        movsd xmm2, xmm0
        addsd xmm2, xmm1
        movq [rdi], xmm2
        minsd xmm0, xmm1
        movq [${RESULTS + 0x8000} + r15*8], xmm0
        cvttsd2si rbx, xmm2
        mov [${RESULTS + 0x4000} + r15*8], rbx`,
        'ldmxcsr [masked]',
        `
masked: dd 0x1f80
align 8
left:  dq 0x7ff8000000001234, 0x7ff0000000000001, 0x0000000000000000, 0x7ff0000000000000
right: dq 0x3ff0000000000000, 0x7ff8000000000007, 0x8000000000000000, 0xfff0000000000000`,
      ),
    );
    const sums = [0x7ff8000000001234n, 0x7ff8000000000001n, 0n, 0xfff8000000000000n];
    const minima = [0x3ff0000000000000n, 0x7ff8000000000007n, 0x8000000000000000n, 0xfff0000000000000n];
    for (let i = 0; i < ROUNDS; i++) {
      expect(r.u64(i)).toBe(sums[i & 3]);
      expect(r.u64(0x1000 + i)).toBe(minima[i & 3]);
      expect(r.u64(0x800 + i)).toBe((i & 3) === 2 ? 0n : 0x8000_0000_0000_0000n);
    }
  });
});

describe('code that changes while it is hot', () => {
  /** First round that changes it. */
  const COLD = 200;
  const patched = (target: string): string =>
    loop(
      `
        lea rsi, [${target}]
        cmp ecx, ${COLD}
        cmovb rsi, rbx                  ; hot first, changed from then on
        mov [rsi], cl
        db 0x83, 0xc2                   ; add edx, imm8
patch:  db 5
        mov [rdi], rdx`,
      'xor edx, edx\n  mov ebx, 0x90000',
    );
  const check = (r: Outcome): void => {
    let sum = 0;
    for (let i = 0; i < ROUNDS; i++) {
      sum = (sum + (i < COLD ? 5 : (i << 24) >> 24)) >>> 0;
      expect(r.u64(i)).toBe(BigInt(sum));
    }
  };

  it('by the instruction before', () => check(both(patched('patch'))));

  it('through another mapping of its page', () => {
    check(both(patched('0x80000 + patch - 0x1000'), (rig) => rig.map(0x80000, 0x1000)));
  });
});

describe('slices', () => {
  it('end a loop without exit, and a long string instruction, and count every iteration', () => {
    const r = both(`
main:
  mov r14d, 50
again:
  mov esi, 0x1000
  mov edi, ${RESULTS}
  mov ecx, 0x2000
  rep movsb
  dec r14d
  jnz again
  hlt`);
    expect(r.longest).toBeLessThan(2500);
    expect(Buffer.from(r.rig.bytes.slice(r.rig.at(RESULTS), r.rig.at(RESULTS + 0x2000)))).toEqual(
      Buffer.from(r.rig.bytes.slice(r.rig.at(0x1000), r.rig.at(0x3000))),
    );
    const rig = new Rig(1 << 20, {}, (memory) => new X86Engine(memory, { ...JIT_DEFAULTS, threshold: 20 }));
    rig.mode(64);
    rig.bytes.set([0xeb, 0xfe], rig.at(0x1000));
    rig.cpu.state.setBig('rip', 0x1000n);
    for (let slice = 0; slice < 50; slice++) expect(rig.cpu.run(1000)).toBe(0);
    expect(rig.cpu.state.getBig('rip')).toBe(0x1000n);
  });
});

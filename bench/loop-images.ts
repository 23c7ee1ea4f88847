import { assemble } from '@sterna/guests';
import type { Bits } from './suite.ts';

/** What a loop consists of, in NASM's syntax; see {@link loopImage} for the registers. */
export interface LoopSource {
  /** Runs before the first iteration. */
  readonly setup?: string;
  /** One iteration. */
  readonly body: string;
  /** Code after the loop, for subroutines. */
  readonly after?: string;
  readonly iterations: number;
  /** What the scratch memory holds: words that depend on their place (default), or doubles from 1.0 to 1.5. */
  readonly fill?: 'words' | 'doubles';
}

/** Where a loop runs: on a bare machine that loads ELF files (PVH), on one that knows multiboot only, or on the host. */
export type LoopPlace = 'pvh' | 'multiboot' | 'host';

/**
 * A loop as a file to run. It runs a quarter of the iterations to warm up, writes `S`, runs all of them, and writes
 * `E` with a checksum of registers and scratch memory in hexadecimal.
 *
 * A body has EAX, EBX, ECX, EDX and all xmm registers for itself, EBP is the counter that counts down, and `psi` points
 * at 256 KiB of scratch memory: `pax` to `psp` are the general registers in the width of addresses. `psi` and `pdi` may
 * be changed when `scratch` sets them again.
 */
export function loopImage(source: LoopSource, bits: Bits, place: LoopPlace): Uint8Array<ArrayBuffer> {
  return assemble(place === 'host' ? hostFile(source, bits) : kernelFile(source, bits, place)).bytes;
}

function names(bits: Bits): string {
  const letter = bits === 64 ? 'r' : 'e';
  return ['ax', 'bx', 'cx', 'dx', 'si', 'di', 'bp', 'sp'].map((name) => `%define p${name} ${letter}${name}`).join('\n');
}

function work({ setup = '', body, after = '', iterations, fill = 'words' }: LoopSource): string {
  const filled = {
    words: 'imul edx, ecx, 0x9e3779b1\nmov [psi + pcx * 4], edx',
    // All 52 bits of the fraction: sums and products are inexact at once, as in nearly every program.
    doubles: `imul edx, ecx, 0x9e3779b1
        test ecx, 1
        jz .place
        shr edx, 13
        or edx, 0x3ff00000
.place: mov [psi + pcx * 4], edx`,
  }[fill];
  return `
run:    mov     ebp, ${iterations >> 2}
        call    work
        mov     al, 'S'
        call    say
        mov     al, 10
        call    say
        mov     ebp, ${iterations}
        call    work
        push    pax
        mov     al, 'E'
        call    say
        pop     pbx
        mov     ecx, 8
.digit: rol     ebx, 4
        mov     eax, ebx
        and     eax, 15
        add     eax, '0'
        cmp     eax, '9' + 1
        jb      .put
        add     eax, 'a' - '9' - 1
.put:   call    say
        dec     ecx
        jnz     .digit
        mov     al, 10
        call    say
        jmp     done

work:   cld
        mov     esi, scratch
        xor     ecx, ecx
.fill:  ${filled}
        inc     ecx
        cmp     ecx, 0x10000
        jb      .fill
        mov     eax, 12345
        xor     ebx, ebx
        xor     ecx, ecx
        xor     edx, edx
        xor     edi, edi
        ${[0, 1, 2, 3, 4, 5, 6, 7].map((i) => `pxor xmm${i}, xmm${i}`).join('\n')}
        ${setup}
        align   16
.again: ${body}
        dec     ebp
        jnz     .again
        add     eax, ebx
        rol     eax, 5
        add     eax, ecx
        mov     esi, scratch
        ${[0, 1, 2, 3, 4, 5, 6, 7].map((i) => `movups [psi + 0x40000 + ${i * 16}], xmm${i}`).join('\n')}
        xor     ecx, ecx
.sum:   rol     eax, 3
        add     eax, [psi + pcx * 4]
        inc     ecx
        cmp     ecx, 0x10000 + 32
        jb      .sum
        ret
        ${after}
`;
}

/** ELF32 at 1 MiB, with paging, SSE and a stack. */
function kernelFile(source: LoopSource, bits: Bits, place: LoopPlace): string {
  const paging = {
    64: `
        mov     edi, 0x200000           ; PML4, PDPT, page directory: 1 GiB mapped one to one
        xor     eax, eax
        mov     ecx, 0x3000 / 4
        rep     stosd
        mov     dword [0x200000], 0x201003
        mov     dword [0x201000], 0x202003
        mov     edi, 0x202000
        mov     eax, 0x83
.map:   mov     [edi], eax
        add     eax, 0x200000
        add     edi, 8
        cmp     edi, 0x203000
        jb      .map
        mov     eax, 0x620              ; PAE, OSFXSR, OSXMMEXCPT
        mov     cr4, eax
        mov     eax, 0x200000
        mov     cr3, eax
        mov     ecx, 0xc0000080
        mov     eax, 0x100
        xor     edx, edx
        wrmsr
        mov     eax, 0x80000003         ; PG, MP, PE
        mov     cr0, eax
        lgdt    [gdtr]
        jmp     8:long
        align   8
gdt:    dq 0, 0x00af9b000000ffff, 0x00cf93000000ffff
gdtr:   dw 23
        dd gdt
        bits 64
long:`,
    32: `
        lgdt    [gdtr]
        jmp     8:flat
        align   8
gdt:    dq 0, 0x00cf9b000000ffff, 0x00cf93000000ffff
gdtr:   dw 23
        dd gdt
flat:   mov     edi, 0x200000           ; page directory: 4 GiB mapped one to one by large pages
        mov     eax, 0x83
.map:   mov     [edi], eax
        add     edi, 4
        add     eax, 0x400000
        cmp     edi, 0x201000
        jb      .map
        mov     eax, 0x610              ; PSE, OSFXSR, OSXMMEXCPT
        mov     cr4, eax
        mov     eax, 0x200000
        mov     cr3, eax
        mov     eax, 0x80000003
        mov     cr0, eax`,
  }[bits];
  const multiboot = 'align 4\ndd 0x1badb002, 0, -0x1badb002';
  return `
${names(bits)}
scratch equ     0x400000
        bits 32
        org 0x100000
elf:    db 0x7f, "ELF", 1, 1, 1, 0
        times 8 db 0
        dw 2, 3
        dd 1, start, headers - elf, 0, 0
        dw 52, 32, ${place === 'pvh' ? 2 : 1}, 0, 0, 0
headers:
        dd 1, 0, elf, elf, end - elf, end - elf + 0x10000, 7, 0x1000
        dd 4, note - elf, note, note, note_end - note, note_end - note, 4, 4
note:   dd 4, 4, 18
        db "Xen", 0
        dd start
note_end:
        ${place === 'multiboot' ? multiboot : ''}
start:  cli
        mov     esp, end + 0x8000
        ${paging}
        mov     eax, 16
        mov     ds, eax
        mov     es, eax
        mov     ss, eax
        jmp     run
say:    push    pdx
        mov     edx, 0x3f8
        out     dx, al
        pop     pdx
        ret
done:   hlt
        jmp     done
${work(source)}
        align   16
end:
`;
}

/** The same as a static Linux program. */
function hostFile(source: LoopSource, bits: Bits): string {
  const header = {
    64: `
        db 0x7f, "ELF", 2, 1, 1, 0
        times 8 db 0
        dw 2, 62
        dd 1
        dq start, headers - elf, 0
        dd 0
        dw 64, 56, 1, 0, 0, 0
headers:
        dd 1, 7
        dq 0, elf, elf, end - elf, 0x600000, 0x1000`,
    32: `
        db 0x7f, "ELF", 1, 1, 1, 0
        times 8 db 0
        dw 2, 3
        dd 1, start, headers - elf, 0, 0
        dw 52, 32, 1, 0, 0, 0
headers:
        dd 1, 0, elf, elf, end - elf, 0x600000, 7, 0x1000`,
  }[bits];
  const call =
    bits === 64 ? 'mov edi, 1\nmov edx, 1\nmov eax, 1\nsyscall' : 'mov ebx, 1\nmov edx, 1\nmov eax, 4\nint 0x80';
  const pointer = bits === 64 ? 'mov rsi, rsp' : 'mov ecx, esp';
  const registers = ['pbx', 'pcx', 'pdx', 'psi', 'pdi'];
  return `
${names(bits)}
scratch equ     0x800000
        bits ${bits}
        org 0x400000
elf:    ${header}
start:  jmp     run
say:    ${registers.map((name) => `push ${name}`).join('\n')}
        push    pax
        ${pointer}
        ${call}
        pop     pax
        ${registers
          .map((name) => `pop ${name}`)
          .toReversed()
          .join('\n')}
        ret
done:   xor     edi, edi
        xor     ebx, ebx
        mov     eax, ${bits === 64 ? 60 : 1}
        ${bits === 64 ? 'syscall' : 'int 0x80'}
${work(source)}
        align   16
end:
`;
}

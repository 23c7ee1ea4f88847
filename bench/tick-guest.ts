import { assemble } from '@sterna/guests';

/** What a ticking guest does beside printing a dot each millisecond. */
export interface TickGuest {
  /** Memory that it fills with data first, from 16 MiB on. */
  readonly filledMiB?: number;
  /** Bytes per second that it dirties in that memory, page after page, round and round. */
  readonly dirtyRate?: number;
  /** Computes instead of halting between ticks, and prints a `w` after each unit of work. */
  readonly busy?: boolean;
}

const PAGES_AT = 16 * 2 ** 20;
/** Iterations of a unit of work: long against a tick's handler, short against a second. */
const WORK = 1_000_000;

/**
 * A bare 32-bit guest (PVH, 1 MiB) that prints `R` when its memory is filled and from then on a `.` at each millisecond of
 * its local APIC's timer.
 */
export function tickGuest({ filledMiB = 0, dirtyRate = 0, busy = false }: TickGuest): Uint8Array<ArrayBuffer> {
  const end = PAGES_AT + filledMiB * 2 ** 20;
  // Pages per tick in 1/65536.
  const step = Math.round((dirtyRate / 4096 / 1000) * 65536);
  const between = busy
    ? `mov     ecx, ${WORK}
.work:  imul    eax, eax, 1664525
        add     eax, 1013904223
        dec     ecx
        jnz     .work
        push    eax
        mov     al, 'w'
        call    say
        pop     eax`
    : 'hlt';
  return assemble(`
        bits 32
        org 0x100000
next    equ     0x120000                ; away from the code, which would else be checked for changes at each tick
owed    equ     0x120004
elf:    db 0x7f, "ELF", 1, 1, 1, 0
        times 8 db 0
        dw 2, 3
        dd 1, start, headers - elf, 0, 0
        dw 52, 32, 2, 0, 0, 0
headers:
        dd 1, 0, elf, elf, end - elf, end - elf + 0x10000, 7, 0x1000
        dd 4, note - elf, note, note, note_end - note, note_end - note, 4, 4
note:   dd 4, 4, 18
        db "Xen", 0
        dd start
note_end:
start:  cli
        mov     esp, end + 0x8000
        lgdt    [gdtr]
        jmp     8:flat
        align   8
gdt:    dq 0, 0x00cf9b000000ffff, 0x00cf93000000ffff
gdtr:   dw 23
        dd gdt
idtr:   dw 0x107
        dd idt
flat:   mov     eax, 16
        mov     ds, eax
        mov     es, eax
        mov     ss, eax
        mov     al, 0xff                ; both PICs silent
        out     0x21, al
        out     0xa1, al
        mov     edi, ${PAGES_AT}
        mov     eax, 12345
        jmp     .filled
.fill:  mov     [edi], eax
        imul    eax, eax, 1664525
        add     eax, 1013904223
        mov     [edi + 4], eax
        add     edi, 8
.filled: cmp    edi, ${end}
        jb      .fill
        mov     eax, tick               ; vector 0x20
        mov     [idt + 0x20 * 8], ax
        shr     eax, 16
        mov     [idt + 0x20 * 8 + 6], ax
        mov     dword [idt + 0x20 * 8 + 2], 0x8e000008
        mov     [idt + 0x20 * 8 + 6], ax
        lidt    [idtr]
        mov     al, 'R'
        call    say
        mov     dword [0xfee000f0], 0x1ff
        mov     dword [0xfee003e0], 0xb         ; divide by 1: 1 GHz
        mov     dword [0xfee00320], 0x20020     ; periodic
        mov     dword [0xfee00380], 1000000
        mov     dword [next], ${PAGES_AT}
        sti
again:  ${between}
        jmp     again

tick:   push    eax
        push    ecx
        push    edx
        mov     al, '.'
        call    say
        mov     ecx, [next]
        mov     eax, [owed]
        add     eax, ${step}
.page:  cmp     eax, 0x10000
        jb      .done
        sub     eax, 0x10000
        add     [ecx], eax
        add     ecx, 4096
        cmp     ecx, ${end}
        jb      .page
        mov     ecx, ${PAGES_AT}
        jmp     .page
.done:  mov     [owed], eax
        mov     [next], ecx
        mov     dword [0xfee000b0], 0
        pop     edx
        pop     ecx
        pop     eax
        iret

say:    push    edx
        mov     edx, 0x3f8
        out     dx, al
        pop     edx
        ret
        align   8
idt:    times 0x21 dq 0
        align   16
end:
`).bytes;
}

; tiny - a bare-metal x86-64 guest for the microvm machine that checks itself.
;
; Assembled with one of these defined:
;   FORM_PVH         64-bit ELF with a PVH entry note, for -kernel
;   FORM_MULTIBOOT   32-bit ELF with a multiboot header, for -kernel
;   FORM_ROM         64 KiB image with a reset vector, for -bios; takes its command line from ROM_CMDLINE
;
; It runs in long mode with interrupts of the LAPIC timer, PIT, RTC and serial port, and prints one line every
; `tick` milliseconds of LAPIC time, in the form of our Linux program ticker:
;   TICK <n> t=<ms> dirty=<KiB written> pass=<passes> lapic=<n> pit=<n> rtc=<n> rx=<n> tsc=<hex>
; Between lines it rewrites its working set at a set rate, checking each page (pages.inc), and at each line it checks
; that the x87 and SSE registers hold what they must and that the TSC has moved forward. A finding prints "BAD ..." and
; stops the processor.
;
; Words on the command line:
;   tick=MS (100)  rate=MB/s (0)  work=MiB (8)  stop=COUNT (0: never; else checks all, prints TICKER-DONE, powers off)
; Bytes received on the serial port are echoed as "RX <hex>"; `q` powers off, `r` resets, `!` resets by triple fault.

%ifdef FORM_ROM
%ifndef ROM_CMDLINE
%define ROM_CMDLINE ""
%endif
%elifndef FORM_PVH
%ifndef FORM_MULTIBOOT
%error "define FORM_PVH, FORM_MULTIBOOT or FORM_ROM"
%endif
%endif

BASE            equ 0x100000            ; the image
TABLES          equ 0x200000            ; everything from here to TABLES_END is cleared at start
PML4            equ TABLES
PDPT_LOW        equ TABLES + 0x1000     ; 0 to 4 GiB identity-mapped by 2 MiB pages
PD_LOW          equ TABLES + 0x2000     ; four of them
PDPT_HIGH       equ TABLES + 0x6000     ; working set mapped by 4 KiB pages, not executable
PD_HIGH         equ TABLES + 0x7000
PT_HIGH         equ TABLES + 0x8000     ; up to 32: 64 MiB
IDT             equ TABLES + 0x28000
STACK           equ TABLES + 0x30000    ; top
TABLES_END      equ TABLES + 0x30000
WORKING_SET     equ 0x400000
WORKING_MOST    equ 64                  ; MiB
HIGH            equ 0xffff900000000000
HIGH_SLOT       equ (HIGH >> 39) & 511

CODE32          equ 0x08
DATA            equ 0x10
CODE64          equ 0x18

LAPIC           equ 0xfee00000
IOAPIC          equ 0xfec00000
GED_SLEEP       equ 0xfea00200          ; sleep control of the ACPI event device, reset register two bytes further
GED_RESET       equ 0xfea00202
SLEEP_S5        equ 0x34                ; SLP_EN, type 5
RESET_VALUE     equ 0x42
%define UART    0x3f8                   ; not equ: the preprocessor compares it

VECTOR_PIT      equ 0x30
VECTOR_SERIAL   equ 0x34
VECTOR_RTC      equ 0x38
VECTOR_LAPIC    equ 0x40
VECTOR_SPURIOUS equ 0xff

LAPIC_MS        equ 10                  ; period of the LAPIC timer; it counts at 1 GHz
LAPIC_COUNT     equ LAPIC_MS * 1000000 / 16
PIT_COUNT       equ 59659               ; 20 Hz
RX_SIZE         equ 64                  ; bytes received and not yet echoed

        bits 32
        org BASE

; ---- file headers ----------------------------------------------------------------------------------------------

image:
%ifdef FORM_PVH
        db 0x7f, "ELF", 2, 1, 1, 0
        times 8 db 0
        dw 2, 62                        ; ET_EXEC, x86-64
        dd 1
        dq entry_pvh
        dq program_headers - image
        dq 0
        dd 0
        dw 64, 56, 2, 0, 0, 0
program_headers:
        dd 1, 7                         ; PT_LOAD
        dq 0, image, image
        dq image_end - image, memory_end - image, 0x1000
        dd 4, 4                         ; PT_NOTE
        dq note - image, note, note
        dq note_end - note, note_end - note, 4
        align 4, db 0
note:   dd 4, 4, 18                     ; XEN_ELFNOTE_PHYS32_ENTRY
        db "Xen", 0
        dd entry_pvh
note_end:
%endif
%ifdef FORM_MULTIBOOT
        db 0x7f, "ELF", 1, 1, 1, 0
        times 8 db 0
        dw 2, 3                         ; ET_EXEC, 386
        dd 1
        dd entry_multiboot
        dd program_headers - image
        dd 0, 0
        dw 52, 32, 1, 0, 0, 0
program_headers:
        dd 1, 0, image, image           ; PT_LOAD
        dd image_end - image, memory_end - image, 7, 0x1000
        align 4, db 0
MULTIBOOT_FLAGS equ 0x00000003          ; page-aligned modules, memory information
        dd 0x1badb002, MULTIBOOT_FLAGS, -(0x1badb002 + MULTIBOOT_FLAGS)
%endif

; ---- 32-bit entries: flat protected mode, paging off -----------------------------------------------------------

entry_pvh:                              ; ebx: start info
        mov     esi, [ebx + 24]         ; command line
        jmp     entry
entry_multiboot:                        ; ebx: multiboot information
        xor     esi, esi
        test    dword [ebx], 4          ; there is a command line
        jz      entry
        mov     esi, [ebx + 16]
        jmp     entry
entry_rom:
        mov     esi, rom_cmdline
entry:  cli
        cld
        mov     ebp, esi                ; kept until long mode
        lgdt    [gdt_pointer]
        jmp     CODE32:.segments
.segments:
        mov     eax, DATA
        mov     ds, eax
        mov     es, eax
        mov     fs, eax
        mov     gs, eax
        mov     ss, eax
        mov     esp, STACK

        xor     eax, eax
        mov     edi, TABLES
        mov     ecx, (TABLES_END - TABLES) / 4
        rep stosd
        mov     edi, image_end          ; not every loader clears this
        mov     ecx, memory_end - image_end
        rep stosb

        mov     dword [PML4], PDPT_LOW | 3
        mov     dword [PML4 + HIGH_SLOT * 8], PDPT_HIGH | 3
        mov     dword [PDPT_HIGH], PD_HIGH | 3
        mov     eax, PD_LOW | 3
        mov     edi, PDPT_LOW
        mov     ecx, 4
        call    fill_entries
        mov     eax, PT_HIGH | 3
        mov     edi, PD_HIGH
        mov     ecx, 32
        call    fill_entries
        mov     eax, WORKING_SET | 3
        mov     edi, PT_HIGH
        mov     ecx, WORKING_MOST * 256
        mov     ebx, 0x80000000         ; no-execute
        call    fill_entries_high
        mov     eax, 0x83               ; present, writable, 2 MiB
        mov     edi, PD_LOW
        mov     ecx, 2048
.large: mov     [edi], eax
        add     edi, 8
        add     eax, 0x200000
        dec     ecx
        jnz     .large

        mov     eax, PML4
        mov     cr3, eax
        mov     eax, cr4
        or      eax, 0x6a0              ; PAE, PGE, OSFXSR, OSXMMEXCPT
        mov     cr4, eax
        mov     ecx, 0xc0000080         ; EFER: LME, NXE
        rdmsr
        or      eax, 0x900
        wrmsr
        mov     eax, cr0
        and     eax, ~0x6000000c        ; not CD, NW, EM, TS
        or      eax, 0x80010023         ; PG, WP, NE, MP, PE
        mov     cr0, eax
        jmp     CODE64:long_mode

; Writes ecx page-table entries at edi: eax, eax + 4096, ...; the high halves are zero or ebx.
fill_entries:
        xor     ebx, ebx
fill_entries_high:
        mov     [edi], eax
        mov     [edi + 4], ebx
        add     edi, 8
        add     eax, 0x1000
        dec     ecx
        jnz     fill_entries_high
        ret

; ---- long mode -------------------------------------------------------------------------------------------------

        bits 64
long_mode:
        mov     eax, DATA
        mov     ds, eax
        mov     es, eax
        mov     ss, eax
        mov     esp, STACK

        mov     edi, IDT                ; 256 interrupt gates
        mov     esi, stubs
        mov     ecx, 256
.gate:  mov     [rdi], si
        mov     word [rdi + 2], CODE64
        mov     word [rdi + 4], 0x8e00
        mov     eax, esi
        shr     eax, 16
        mov     [rdi + 6], ax
        add     edi, 16
        add     esi, 8
        dec     ecx
        jnz     .gate
        lidt    [idt_pointer]

        call    parse_command_line
        call    set_up_floating_point
        call    set_up_devices

        mov     edi, line
        mov     esi, msg_up
        call    append
        call    print

        mov     rbx, HIGH
        mov     r12, [option_work]
        shl     r12, 8                  ; MiB to pages
        call    fill_pages

        mov     edi, LAPIC
        mov     dword [rdi + 0x380], LAPIC_COUNT
        xor     r15d, r15d              ; lines printed

; Everything after this happens once for each LAPIC tick.
main:   sti
.wait:  cli
        mov     rax, [lapic_seen]
        mov     ecx, [rx_out]
        cmp     ecx, [rx_in]
        jne     .received
        cmp     rax, [lapic_ticks]
        jne     .tick
        sti
        hlt                             ; the interrupt shadow of STI: nothing gets lost in between
        jmp     .wait

.received:
        movzx   eax, byte [rx_bytes + rcx]
        inc     ecx
        and     ecx, RX_SIZE - 1
        mov     [rx_out], ecx
        sti
        call    receive
        jmp     main

.tick:  inc     qword [lapic_seen]
        sti
        mov     rax, [option_rate]      ; bytes to write in this tick
        imul    rax, rax, LAPIC_MS * 1000
        add     [credit], rax
.page:  cmp     qword [credit], PAGE
        jb      .written
        sub     qword [credit], PAGE
        call    rewrite
        jmp     .page
.written:
        mov     rax, [lapic_seen]       ; time for a line?
        imul    rax, rax, LAPIC_MS
        cmp     rax, [next_line]
        jb      main
        mov     rcx, [option_tick]
        add     [next_line], rcx
        call    report
        cmp     r15, [option_stop]
        jne     main
        call    verify_pages
        mov     edi, line
        mov     esi, msg_done
        call    append
        mov     rax, r15
        call    append_decimal
        call    print

power_off:
        mov     edi, GED_SLEEP
        mov     byte [rdi], SLEEP_S5
        mov     rcx, [lapic_ticks]
        add     rcx, 1000 / LAPIC_MS
.wait:  sti
        hlt
        cmp     [lapic_ticks], rcx
        jb      .wait
        mov     edi, line               ; still here a second later: a machine without ACPI
        mov     esi, msg_halted
        call    append
        call    print
halt:   cli
        hlt
        jmp     halt

reset:  mov     edi, GED_RESET
        mov     byte [rdi], RESET_VALUE
triple_fault:
        lidt    [no_idt]
        int3

; One line of the report, after the checks that go with it.
report: inc     r15
        rdtsc
        shl     rdx, 32
        or      rax, rdx
        mov     esi, msg_bad_tsc
        cmp     rax, [last_tsc]
        jbe     bad_value
        mov     [last_tsc], rax
        call    check_floating_point

        mov     edi, line
        mov     esi, msg_tick
        mov     rax, r15
        call    append_field
        mov     esi, msg_time
        mov     rax, [lapic_seen]
        imul    rax, rax, LAPIC_MS
        call    append_field
        mov     esi, msg_dirty
        mov     rax, r14                ; pages written since the first filling, 4 KiB each
        imul    rax, r12
        add     rax, r13
        shl     rax, 2
        call    append_field
        mov     esi, msg_pass
        mov     rax, r14
        call    append_field
        mov     esi, msg_lapic
        mov     rax, [lapic_ticks]
        call    append_field
        mov     esi, msg_pit
        mov     rax, [pit_ticks]
        call    append_field
        mov     esi, msg_rtc
        mov     rax, [rtc_ticks]
        call    append_field
        mov     esi, msg_rx
        mov     rax, [rx_total]
        call    append_field
        mov     esi, msg_tsc
        call    append
        mov     rax, [last_tsc]
        call    append_hex
        jmp     print

; Appends the text at esi and rax in decimal.
append_field:
        push    rax
        call    append
        pop     rax
        jmp     append_decimal

; al: a byte from the serial port.
receive:
        mov     ebp, eax
        mov     edi, line
        mov     esi, msg_received
        call    append
        movzx   eax, bpl
        shl     rax, 56
        mov     ecx, 2
        call    append_hex_digits
        call    print
        cmp     bpl, 'q'
        je      power_off
        cmp     bpl, 'r'
        je      reset
        cmp     bpl, '!'
        je      triple_fault
        ret

; ---- checks ----------------------------------------------------------------------------------------------------

; Fills all x87 and SSE registers and keeps their image. st0 and xmm15 count lines; the others must not change.
set_up_floating_point:
        fninit
        fldln2
        fldlg2
        fldl2e
        fldl2t
        fldpi
        fld1
        fldz
        mov     rax, 0x243f6a8885a308d3
        mov     rcx, 0x9e3779b97f4a7c15
%assign number 0
%rep 15
        movq    xmm%[number], rax
        imul    rax, rcx
        movq    xmm15, rax
        imul    rax, rcx
        punpcklqdq xmm%[number], xmm15
%assign number number + 1
%endrep
        xorpd   xmm15, xmm15
        fxsave64 [fx_reference]
        ret

; Steps both counters and compares everything else with the image.
check_floating_point:
        addsd   xmm15, [one]
        cvttsd2si rax, xmm15
        mov     esi, msg_bad_sse
        cmp     rax, r15
        jne     bad_value
        fld1
        faddp   st1, st0
        fld     st0
        fistp   qword [scratch]
        mov     rax, [scratch]
        mov     esi, msg_bad_x87
        cmp     rax, r15
        jne     bad_value
        fxsave64 [fx_now]
        mov     edx, 48                 ; st1 to st6, ten bytes in each sixteen
        mov     esi, msg_bad_fx
.x87:   mov     rax, [fx_now + rdx]
        cmp     rax, [fx_reference + rdx]
        jne     bad_value
        movzx   eax, word [fx_now + rdx + 8]
        cmp     ax, [fx_reference + rdx + 8]
        jne     bad_value
        add     edx, 16
        cmp     edx, 32 + 7 * 16
        jb      .x87
        mov     edx, 160                ; xmm0 to xmm14
.sse:   mov     rax, [fx_now + rdx]
        cmp     rax, [fx_reference + rdx]
        jne     bad_value
        add     edx, 8
        cmp     edx, 160 + 15 * 16
        jb      .sse
        ret

; esi: what is wrong, rax: its value.
bad_value:
        mov     rbp, rax
        mov     edi, line
        call    append
        mov     rax, rbp
        call    append_hex
        mov     esi, msg_line
        mov     rax, r15
        call    append_field
failed: cli
        call    print
        jmp     halt

; ---- devices ---------------------------------------------------------------------------------------------------

%macro outb 2
        mov     al, %2
%if %1 < 0x100
        out     %1, al
%else
        mov     dx, %1
        out     dx, al
%endif
%endmacro

set_up_devices:
        outb    UART + 3, 0x83          ; 115200 8N1
        outb    UART + 0, 1
        outb    UART + 1, 0
        outb    UART + 3, 0x03
        outb    UART + 2, 0x07          ; FIFO on and empty, interrupt for every byte
        outb    UART + 4, 0x0b          ; DTR, RTS, OUT2
        outb    UART + 1, 0x01          ; interrupt on received data

        outb    0x20, 0x11              ; both 8259: initialised, everything masked
        outb    0xa0, 0x11
        outb    0x21, 0x20
        outb    0xa1, 0x28
        outb    0x21, 4
        outb    0xa1, 2
        outb    0x21, 1
        outb    0xa1, 1
        outb    0x21, 0xff
        outb    0xa1, 0xff

        outb    0x43, 0x34              ; 8254 channel 0: rate generator
        outb    0x40, PIT_COUNT & 255
        outb    0x40, PIT_COUNT >> 8

        outb    0x70, 0x0a              ; RTC: periodic interrupt, 8 Hz
        outb    0x71, 0x2d
        outb    0x70, 0x0b
        outb    0x71, 0x42
        call    acknowledge_rtc

        mov     edi, IOAPIC
        mov     eax, 0x10 + 2 * 2       ; the 8254 is on pin 2
        mov     ecx, VECTOR_PIT
        call    route
        mov     eax, 0x10 + 4 * 2
        mov     ecx, VECTOR_SERIAL
        call    route
        mov     eax, 0x10 + 8 * 2
        mov     ecx, VECTOR_RTC
        call    route

        mov     edi, LAPIC
        mov     dword [rdi + 0xf0], 0x100 | VECTOR_SPURIOUS
        mov     dword [rdi + 0x80], 0   ; task priority
        mov     dword [rdi + 0x350], 0x10000 ; LINT0, LINT1 masked
        mov     dword [rdi + 0x360], 0x10000
        mov     dword [rdi + 0x3e0], 3  ; divide by 16
        mov     dword [rdi + 0x320], 0x20000 | VECTOR_LAPIC ; periodic
        ret

; Redirection entry at register eax of the IO-APIC at rdi: vector ecx, edge, this processor.
route:  lea     edx, [rax + 1]
        mov     [rdi], edx
        mov     dword [rdi + 16], 0
        mov     [rdi], eax
        mov     [rdi + 16], ecx
        ret

acknowledge_rtc:
        mov     al, 0x0c
        out     0x70, al
        in      al, 0x71
        ret

; ---- interrupts ------------------------------------------------------------------------------------------------

        align 8
stubs:                                  ; the return address says which one was taken
%rep 256
        align 8
        call    near interrupt
%endrep
        align 8

interrupt:
        push    rax
        push    rcx
        push    rdx
        mov     eax, [rsp + 24]
        sub     eax, stubs
        shr     eax, 3                  ; vector
        cmp     eax, VECTOR_LAPIC
        je      .lapic
        cmp     eax, VECTOR_PIT
        je      .pit
        cmp     eax, VECTOR_SERIAL
        je      .serial
        cmp     eax, VECTOR_RTC
        je      .rtc
        cmp     eax, VECTOR_SPURIOUS
        je      .return
        jmp     exception
.lapic: inc     qword [lapic_ticks]
        jmp     .end
.pit:   inc     qword [pit_ticks]
        jmp     .end
.rtc:   inc     qword [rtc_ticks]
        call    acknowledge_rtc
        jmp     .end
.serial:
        mov     dx, UART + 5
        in      al, dx
        test    al, 1
        jz      .end
        mov     dx, UART
        in      al, dx
        inc     qword [rx_total]
        mov     ecx, [rx_in]            ; a ring that overflows counts as empty
        mov     [rx_bytes + rcx], al
        inc     ecx
        and     ecx, RX_SIZE - 1
        mov     [rx_in], ecx
        jmp     .serial
.end:   mov     eax, LAPIC
        mov     dword [rax + 0xb0], 0   ; end of interrupt
.return:
        pop     rdx
        pop     rcx
        pop     rax
        add     rsp, 8
        iretq

; eax: vector. On the stack above the four saved words: error code or rip.
exception:
        mov     ebp, eax
        mov     edi, line
        mov     esi, msg_bad_exception
        call    append_field
        mov     esi, msg_stack
        call    append
        mov     rax, [rsp + 32]
        call    append_hex
        mov     al, ' '
        stosb
        mov     rax, [rsp + 40]
        call    append_hex
        mov     esi, msg_cr2
        call    append
        mov     rax, cr2
        call    append_hex
        jmp     failed

; ---- text ------------------------------------------------------------------------------------------------------

; Ends the line at edi and sends it, waiting for the port.
print:  mov     byte [rdi], 10
        lea     ecx, [rdi + 1]
        sub     ecx, line
        mov     esi, line
.byte:  mov     dx, UART + 5
.ready: in      al, dx
        test    al, 0x20
        jz      .ready
        mov     dx, UART
        lodsb
        out     dx, al
        dec     ecx
        jnz     .byte
        ret

; Reads the words NAME=NUMBER of the command line at ebp that are options.
parse_command_line:
        test    ebp, ebp
        jz      .end
        mov     esi, ebp
.word:  mov     al, [rsi]
        test    al, al
        jz      .end
        mov     eax, [rsi]
        mov     edi, options
.option:
        cmp     eax, [rdi]
        je      .found
        add     edi, 16
        cmp     edi, options_end
        jb      .option
.skip:  mov     al, [rsi]               ; to the end of this word, then to the next
        test    al, al
        jz      .end
        inc     esi
        cmp     al, ' '
        jne     .skip
        jmp     .word
.found: cmp     byte [rsi + 4], '='
        jne     .skip
        add     esi, 5
        xor     eax, eax
.digit: movzx   ecx, byte [rsi]
        sub     ecx, '0'
        cmp     ecx, 9
        ja      .number
        imul    rax, rax, 10
        add     rax, rcx
        inc     esi
        jmp     .digit
.number:
        mov     [rdi + 8], rax
        jmp     .skip
.end:   mov     eax, LAPIC_MS           ; what would divide by zero or overflow the tables
        cmp     [option_tick], rax
        jae     .tick
        mov     [option_tick], rax
.tick:  mov     eax, WORKING_MOST
        cmp     [option_work], rax
        ja      .clamp
        cmp     qword [option_work], 0
        jne     .first
        mov     eax, 1
.clamp: mov     [option_work], rax
.first: mov     rax, [option_tick]
        mov     [next_line], rax
        ret

%include "text.inc"
%include "pages.inc"

; ---- data ------------------------------------------------------------------------------------------------------

        align 8, db 0
one:            dq 1.0
gdt:            dq 0
                dq 0x00cf9b000000ffff   ; CODE32
                dq 0x00cf93000000ffff   ; DATA
                dq 0x00af9b000000ffff   ; CODE64
gdt_end:
options:                                ; name, value
                db "tick", 0, 0, 0, 0
option_tick:    dq 100
                db "rate", 0, 0, 0, 0
option_rate:    dq 0
                db "work", 0, 0, 0, 0
option_work:    dq 8
                db "stop", 0, 0, 0, 0
option_stop:    dq 0
options_end:
gdt_pointer:    dw gdt_end - gdt - 1
                dq gdt
idt_pointer:    dw 256 * 16 - 1
                dq IDT
no_idt:         dw 0
                dq 0
msg_up:         db "UP", 0
msg_tick:       db "TICK ", 0
msg_time:       db " t=", 0
msg_dirty:      db " dirty=", 0
msg_pass:       db " pass=", 0
msg_lapic:      db " lapic=", 0
msg_pit:        db " pit=", 0
msg_rtc:        db " rtc=", 0
msg_rx:         db " rx=", 0
msg_tsc:        db " tsc=", 0
msg_done:       db "TICKER-DONE ", 0
msg_halted:     db "HALTED", 0
msg_received:   db "RX ", 0
msg_line:       db " tick=", 0
msg_bad_sse:    db "BAD sse counter=", 0
msg_bad_x87:    db "BAD x87 counter=", 0
msg_bad_fx:     db "BAD register word=", 0
msg_bad_tsc:    db "BAD tsc=", 0
msg_bad_exception: db "BAD exception=", 0
msg_stack:      db " stack=", 0
msg_cr2:        db " cr2=", 0
%ifdef FORM_ROM
rom_cmdline:    db ROM_CMDLINE, 0
%else
rom_cmdline     equ 0
%endif
        align 16, db 0
image_end:

%ifdef FORM_ROM
; ---- reset: the ROM ends at 4 GiB ------------------------------------------------------------------------------

ROM_BASE        equ 0xffff0000          ; the image seen from the reset vector
        bits 16
rom_start:
        cli
        o32 lgdt [cs:rom_gdt_pointer - image]
        mov     eax, cr0
        or      al, 1
        mov     cr0, eax
        jmp     dword CODE32:(rom_protected - image + ROM_BASE)
        bits 32
rom_protected:
        mov     eax, DATA
        mov     ds, eax
        mov     es, eax
        mov     ss, eax
        cld
        mov     esi, ROM_BASE
        mov     edi, BASE
        mov     ecx, (image_end - image) / 4
        rep movsd
        mov     eax, entry_rom
        jmp     eax
        align 8, db 0
rom_gdt_pointer:
        dw gdt_end - gdt - 1
        dd gdt - image + ROM_BASE
        times 0xfff0 - ($ - image) db 0
        bits 16
        jmp     near rom_start
        times 0x10000 - ($ - image) db 0
%endif

; Memory behind the image, cleared at start.
        absolute image_end
        alignb 16
fx_reference:   resb 512
fx_now:         resb 512
lapic_ticks:    resq 1
lapic_seen:     resq 1
pit_ticks:      resq 1
rtc_ticks:      resq 1
rx_total:       resq 1
next_line:      resq 1
credit:         resq 1
last_tsc:       resq 1
scratch:        resq 1
rx_in:          resd 1
rx_out:         resd 1
rx_bytes:       resb RX_SIZE
line:           resb 256
memory_end:

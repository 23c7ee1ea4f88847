; ticker - a Linux x86-64 program that proves a guest lost nothing while it was moved.
;
;   ticker [INTERVAL_MS [RATE_MBPS [WORKING_MIB [COUNT]]]]      defaults 100, 0, 16, 0
;
; Prints one line at every multiple of INTERVAL_MS since its start, by the monotonic clock:
;   TICK <n> t=<ms since start> dirty=<KiB written> pass=<complete passes over the working set>
; n counts up by one in each line; a late program prints the missed lines at once.
; Between ticks it rewrites pages of its working set in order, RATE_MBPS * 10^6 bytes a second. Every 64-bit word of a
; page depends on the page's number and the pass, and is checked before it is overwritten, so a page that is lost,
; stale or misplaced is found one pass later at the latest. Each tick also steps a counter in an SSE2 and in an x87
; register. A finding prints "BAD <what> ..." and ends the program with status 1.
; With COUNT it checks everything once more after that many ticks, prints "TICKER-DONE <n>" and ends with status 0.
;
; Static ELF, raw system calls, no libc.

SYS_WRITE           equ 1
SYS_MMAP            equ 9
SYS_EXIT            equ 60
SYS_CLOCK_GETTIME   equ 228
SYS_CLOCK_NANOSLEEP equ 230
CLOCK_MONOTONIC     equ 1
TIMER_ABSTIME       equ 1
PROT_READ_WRITE     equ 3
MAP_PRIVATE_ANON    equ 0x22

STEP_NS     equ 10000000                ; dirtying is spread in steps of 10 ms
BATCH       equ 64                      ; pages written before the clock is read again
NS_PER_MS   equ 1000000

        bits 64
        org 0x400000

elf_header:
        db 0x7f, "ELF", 2, 1, 1, 0      ; 64-bit, little-endian, System V
        times 8 db 0
        dw 2, 62                        ; ET_EXEC, x86-64
        dd 1
        dq start
        dq program_headers - elf_header
        dq 0
        dd 0
        dw 64, 56, 2, 0, 0, 0
program_headers:
        dd 1, 7                         ; PT_LOAD, read write execute
        dq 0, elf_header, elf_header
        dq file_end - elf_header, memory_end - elf_header, PAGE
        dd 0x6474e551, 6                ; PT_GNU_STACK: not executable
        times 6 dq 0

; Kept in registers: rbx working set, r12 its pages, r13 next page to rewrite, r14 current pass, r15 ticks printed.
start:  mov     rbp, rsp
        mov     edi, 1
        mov     esi, 100
        call    argument
        imul    rax, rax, NS_PER_MS
        mov     [interval], rax
        mov     edi, 2
        xor     esi, esi
        call    argument
        mov     [rate], rax
        mov     edi, 3
        mov     esi, 16
        call    argument
        mov     r12, rax
        shl     r12, 8                  ; MiB to pages
        mov     edi, 4
        xor     esi, esi
        call    argument
        mov     [count], rax
        cmp     qword [interval], 0
        je      usage
        test    r12, r12
        jz      usage

        xor     edi, edi
        mov     rsi, r12
        shl     rsi, 12
        mov     edx, PROT_READ_WRITE
        mov     r10d, MAP_PRIVATE_ANON
        mov     r8, -1
        xor     r9d, r9d
        mov     eax, SYS_MMAP
        syscall
        test    rax, rax
        js      no_memory
        mov     rbx, rax

        call    fill_pages

        fninit
        fldz
        xorpd   xmm15, xmm15
        xor     r15d, r15d
        call    clock
        mov     [started], rax
        mov     [worked], rax
        add     rax, [interval]
        mov     [next_tick], rax

main:   call    clock
        cmp     rax, [next_tick]
        jb      .work
        call    tick
        mov     rax, [interval]
        add     [next_tick], rax
        cmp     r15, [count]
        je      done
        jmp     main

.work:  mov     rcx, rax                ; credit += elapsed ns * MB/s / 1000, at most a quarter of a second's worth
        sub     rcx, [worked]
        mov     [worked], rax
        imul    rcx, [rate]
        add     rcx, [credit]           ; in 1/1000 bytes
        imul    rdx, [rate], 250000000
        cmp     rcx, rdx
        cmova   rcx, rdx
        mov     [credit], rcx
        mov     rbp, rax
        mov     r10d, BATCH
.page:  cmp     qword [credit], PAGE * 1000
        jb      .sleep
        sub     qword [credit], PAGE * 1000
        call    rewrite
        dec     r10d
        jnz     .page
        jmp     main

.sleep: mov     rax, [next_tick]        ; until the next tick or, while there is dirtying to do, the next step
        cmp     qword [rate], 0
        je      .until
        lea     rcx, [rbp + STEP_NS]
        cmp     rcx, rax
        cmovb   rax, rcx
.until: xor     edx, edx
        mov     ecx, 1000000000
        div     rcx
        mov     [timespec], rax
        mov     [timespec + 8], rdx
        mov     edi, CLOCK_MONOTONIC
        mov     esi, TIMER_ABSTIME
        mov     edx, timespec
        xor     r10d, r10d
        mov     eax, SYS_CLOCK_NANOSLEEP
        syscall
        jmp     main

done:   call    verify_pages
        mov     edi, line
        mov     esi, msg_done
        call    append
        mov     rax, r15
        call    append_decimal
        call    print
        xor     edi, edi
        jmp     exit

usage:  mov     edi, line
        mov     esi, msg_usage
        call    append
        call    print
        mov     edi, 2
        jmp     exit

no_memory:
        mov     edi, line
        mov     esi, msg_no_memory
        call    append
        call    print
        mov     edi, 1
exit:   mov     eax, SYS_EXIT
        syscall

; ---- work ------------------------------------------------------------------------------------------------------

; One tick: step the three counters, print the line.
tick:   inc     r15
        addsd   xmm15, [one]
        cvttsd2si rax, xmm15
        cmp     rax, r15
        mov     esi, msg_bad_sse
        jne     bad_counter
        fld1
        faddp   st1, st0
        fld     st0
        fistp   qword [scratch]
        mov     rax, [scratch]
        cmp     rax, r15
        mov     esi, msg_bad_x87
        jne     bad_counter

        mov     edi, line
        mov     esi, msg_tick
        call    append
        mov     rax, r15
        call    append_decimal
        mov     esi, msg_time
        call    append
        mov     rax, [last]
        sub     rax, [started]
        xor     edx, edx
        mov     ecx, NS_PER_MS
        div     rcx
        call    append_decimal
        mov     esi, msg_dirty
        call    append
        mov     rax, r14                ; (pass * pages + cursor) pages of 4 KiB
        imul    rax, r12
        add     rax, r13
        shl     rax, 2
        call    append_decimal
        mov     esi, msg_pass
        call    append
        mov     rax, r14
        call    append_decimal
        jmp     print

; esi: text, rax: value of the counter.
bad_counter:
        mov     rbp, rax
        mov     edi, line
        call    append
        mov     rax, rbp
        call    append_decimal
        mov     esi, msg_tick_was
        call    append
        mov     rax, r15
        call    append_decimal
failed: call    print
        mov     edi, 1
        jmp     exit

; rax: monotonic time in ns, never less than the last.
clock:  mov     edi, CLOCK_MONOTONIC
        mov     esi, timespec
        mov     eax, SYS_CLOCK_GETTIME
        syscall
        imul    rax, [timespec], 1000000000
        add     rax, [timespec + 8]
        cmp     rax, [last]
        jb      .back
        mov     [last], rax
        ret
.back:  mov     esi, msg_bad_clock
        jmp     bad_counter

; ---- text ------------------------------------------------------------------------------------------------------

; rax: argument number edi as a decimal number, esi when there is none.
argument:
        mov     eax, esi
        cmp     [rbp], rdi              ; argc
        jbe     .end
        mov     rdx, [rbp + rdi * 8 + 8]
        xor     eax, eax
.digit: movzx   ecx, byte [rdx]
        sub     ecx, '0'
        cmp     ecx, 9
        ja      .end
        imul    rax, rax, 10
        add     rax, rcx
        inc     rdx
        jmp     .digit
.end:   ret

; Ends the line at edi and writes it, whole.
print:  mov     byte [rdi], 10
        lea     edx, [rdi + 1]
        sub     edx, line
        mov     esi, line
.rest:  mov     edi, 1
        mov     eax, SYS_WRITE
        syscall
        cmp     rax, -4                 ; EINTR: again
        je      .rest
        test    rax, rax
        js      .gone
        add     esi, eax
        sub     edx, eax
        jnz     .rest
        ret
.gone:  mov     edi, 1
        jmp     exit

%include "text.inc"
%include "pages.inc"

; ---- data ------------------------------------------------------------------------------------------------------

        align 8
one:            dq 1.0
msg_tick:       db "TICK ", 0
msg_time:       db " t=", 0
msg_dirty:      db " dirty=", 0
msg_pass:       db " pass=", 0
msg_done:       db "TICKER-DONE ", 0
msg_bad_sse:    db "BAD sse counter=", 0
msg_bad_x87:    db "BAD x87 counter=", 0
msg_bad_clock:  db "BAD clock=", 0
msg_tick_was:   db " tick=", 0
msg_usage:      db "usage: ticker [INTERVAL_MS [RATE_MBPS [WORKING_MIB [COUNT]]]]", 0
msg_no_memory:  db "ticker: cannot map the working set", 0
file_end:

; Zero-initialised memory behind the file's content.
        absolute file_end
        alignb 16
interval:       resq 1
rate:           resq 1
count:          resq 1
started:        resq 1
worked:         resq 1
last:           resq 1
next_tick:      resq 1
credit:         resq 1
scratch:        resq 1
timespec:       resq 2
line:           resb 256
memory_end:

; pattern - the guest of QEMU's migration tests: a byte in every page that only ever counts up.
;
; A 64 KiB image with a reset vector, for -bios; all of RAM is the pattern's. Assembled with
;   FIRST_MIB, LAST_MIB   where the region begins and ends (1 and 100)
;   PAUSE                 what it waits after each pass, in PAUSE instructions (0)
;   SUSPEND               defined: it suspends itself once, after the first B
;
; It prints A, clears byte 0 of every page of the region, and then for ever adds one to each of them, in ascending order:
; a pass. After every 64th pass it prints B. So wherever it is stopped, byte 0 of each page equals that of the page before,
; but for one place at most where it is one less: any page that was lost or is old shows.
;
; With SUSPEND it stores 1 at byte 4 of the region and asks the event device for S3. When it is woken up it begins at the
; reset vector, finds the 1 and goes on counting without an A, and does not suspend again.

%ifndef FIRST_MIB
%define FIRST_MIB 1
%endif
%ifndef LAST_MIB
%define LAST_MIB 100
%endif
%ifndef PAUSE
%define PAUSE 0
%endif

BASE            equ 0xf0000             ; where the image is seen below 1 MiB
IMAGE_SIZE      equ 0x10000
FIRST           equ FIRST_MIB << 20
LAST            equ LAST_MIB << 20
PAGE            equ 4096
PASSES          equ 64                  ; for each B
SUSPENDED       equ FIRST + 4
UART            equ 0x3f8
UART_STATUS     equ UART + 5
UART_EMPTY      equ 0x20
GED_SLEEP       equ 0xfea00200          ; sleep control of the ACPI event device
SLEEP_S3        equ 0x24                ; SLP_EN, type 1

CODE            equ 0x08
DATA            equ 0x10

        bits 16
        org BASE
entry:  cli
        cld
        o32 lgdt [cs:gdt_pointer - BASE]
        mov     eax, cr0
        or      al, 1
        mov     cr0, eax
        jmp     dword CODE:flat

        align 8
gdt:    dq 0
        dq 0x00cf9b000000ffff
        dq 0x00cf93000000ffff
gdt_pointer:
        dw 23
        dd gdt

        bits 32
flat:   mov     eax, DATA
        mov     ds, eax
        mov     es, eax
        mov     ss, eax
%ifdef SUSPEND
        cmp     byte [SUSPENDED], 1
        je      count
%endif
        mov     al, 'A'
        mov     esi, clear
        jmp     print

clear:  mov     edi, FIRST
.page:  mov     byte [edi], 0
        add     edi, PAGE
        cmp     edi, LAST
        jb      .page

count:  mov     ebx, PASSES
pass:   mov     edi, FIRST
.page:  inc     byte [edi]
        add     edi, PAGE
        cmp     edi, LAST
        jb      .page
%if PAUSE > 0
        mov     ecx, PAUSE
.rest:  pause
        loop    .rest
%endif
        dec     ebx
        jnz     pass
        mov     al, 'B'
        mov     esi, after
        jmp     print

after:
%ifdef SUSPEND
        cmp     byte [SUSPENDED], 1
        je      count
        mov     byte [SUSPENDED], 1
        mov     byte [GED_SLEEP], SLEEP_S3
.wait:  hlt
        jmp     .wait
%endif
        jmp     count

; Prints al and goes to esi: there is no stack.
print:  mov     ah, al
        mov     edx, UART_STATUS
.busy:  in      al, dx
        test    al, UART_EMPTY
        jz      .busy
        mov     al, ah
        mov     edx, UART
        out     dx, al
        jmp     esi

        times IMAGE_SIZE - 16 - ($ - $$) db 0xff
        bits 16
        db 0xea                         ; reset: far jump to the entry
        dw 0, BASE >> 4
        times IMAGE_SIZE - ($ - $$) db 0xff

; A guest for debuggers: a ROM that copies itself to RAM and stays in one loop, in 32-bit code with paging (MODE 32),
; 32-bit code without (MODE 31) or 64-bit code (MODE 64).
BASE            equ 0x100000
ROM_BASE        equ 0xffff0000
TABLES          equ 0x200000
STACK           equ 0x180000
CODE32          equ 0x08
DATA            equ 0x10
CODE64          equ 0x18

        bits 32
        org BASE
image:
start:  mov     eax, DATA
        mov     ds, eax
        mov     es, eax
        mov     ss, eax
        mov     esp, STACK
%if MODE = 32
        mov     dword [TABLES], 0x83    ; 4 MiB page
        mov     eax, cr4
        or      eax, 0x10
        mov     cr4, eax
        mov     eax, TABLES
        mov     cr3, eax
        mov     eax, cr0
        or      eax, 0x80000000
        mov     cr0, eax
%endif
%if MODE = 64
        mov     dword [TABLES], TABLES + 0x1003
        mov     dword [TABLES + 0x1000], TABLES + 0x2003
        mov     dword [TABLES + 0x2000], 0x83
        mov     dword [TABLES + 0x2008], 0x200083
        mov     eax, cr4
        or      eax, 0x620
        mov     cr4, eax
        mov     eax, TABLES
        mov     cr3, eax
        mov     ecx, 0xc0000080
        rdmsr
        or      eax, 0x100
        wrmsr
        mov     eax, cr0
        or      eax, 0x80000002
        mov     cr0, eax
        jmp     CODE64:long_mode
        bits 64
long_mode:
%endif
        xor     ebx, ebx
loop_start:
        inc     ebx
        call    work
        mov     [counter], ebx
after_store:
        cmp     dword [stop_flag], 0
        je      loop_start
done:   cli
        hlt
        jmp     done

work:   nop
work_body:
        add     edx, 3
        ret

        align 16, db 0
counter:        dd 0
other:          dd 0
stop_flag:      dd 0
pattern:        db "debugger", 0

        align 8, db 0
gdt:    dq 0
        dq 0x00cf9b000000ffff
        dq 0x00cf93000000ffff
        dq 0x00af9b000000ffff
gdt_end:
image_end:

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
        mov     ecx, (image_end - image + 3) / 4
        rep movsd
        lgdt    [ROM_BASE + ram_gdt_pointer - image]
        mov     eax, start
        jmp     eax
        align 8, db 0
rom_gdt_pointer:
        dw gdt_end - gdt - 1
        dd gdt - image + ROM_BASE
ram_gdt_pointer:
        dw gdt_end - gdt - 1
        dd gdt
        times 0xfff0 - ($ - image) db 0
        bits 16
        jmp     near rom_start
        times 0x10000 - ($ - image) db 0

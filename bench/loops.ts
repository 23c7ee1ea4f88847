import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { assemble } from '@sterna/guests';
import type { BootSubject } from './boot.ts';

/** A loop: body in 64-bit mode with EDI as counter and RSI at 4 MiB of scratch memory. */
export interface Loop {
  readonly name: string;
  readonly body: string;
  /** Instructions of one iteration, the counter's two included. */
  readonly instructions: number;
  readonly iterations: number;
}

/** Small loops of different kinds. */
export const LOOPS: readonly Loop[] = [
  {
    name: 'register arithmetic (xorshift)',
    body: 'mov ebx, eax\nshl ebx, 13\nxor eax, ebx\nmov ebx, eax\nshr ebx, 17\nxor eax, ebx\nmov ebx, eax\nshl ebx, 5\nxor eax, ebx\nadd ecx, eax',
    instructions: 12,
    iterations: 60_000_000,
  },
  {
    name: 'load, multiply, store over 64 KiB',
    body: 'mov ebx, edi\nand ebx, 0xfffc\nmov eax, [rsi + rbx]\nimul eax, eax, 1664525\nadd eax, 1013904223\nmov [rsi + rbx], eax',
    instructions: 8,
    iterations: 30_000_000,
  },
  {
    name: 'calls, pushes and pops',
    body: 'push rax\ncall .f\npop rbx\njmp .g\n.f: add eax, ebx\nret\n.g:',
    instructions: 8,
    iterations: 30_000_000,
  },
  {
    name: 'unpredictable branches (collatz step)',
    body: 'test eax, 1\njz .even\nlea eax, [rax + rax * 2 + 1]\njmp .next\n.even: shr eax, 1\n.next: add eax, edi',
    instructions: 6.5,
    iterations: 30_000_000,
  },
];

function kernel({ body, iterations }: Loop): Uint8Array {
  return assemble(`
        bits 32
        org 0x100000
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
start:  mov     edi, 0x200000           ; PML4, PDPT, page directory: 1 GiB mapped one to one
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
        mov     eax, 0x20
        mov     cr4, eax
        mov     eax, 0x200000
        mov     cr3, eax
        mov     ecx, 0xc0000080
        mov     eax, 0x100
        xor     edx, edx
        wrmsr
        mov     eax, 0x80000001
        mov     cr0, eax
        lgdt    [gdtr]
        jmp     8:long
        align   8
gdt:    dq 0, 0x00af9b000000ffff
gdtr:   dw 15
        dd gdt
        bits 64
long:   mov     esp, end + 0x8000
        call    work                    ; warm: the loop is translated, or its page decoded
        mov     edx, 0x3f8
        mov     al, 'S'
        out     dx, al
        call    work
        mov     edx, 0x3f8
        mov     al, 'E'
        out     dx, al
halt:   hlt
        jmp     halt
work:   mov     edi, ${iterations}
        mov     esi, 0x400000
        mov     eax, 12345
        xor     ecx, ecx
        align   16
.again: ${body}
        dec     edi
        jnz     .again
        ret
end:
`).bytes;
}

/** Million guest instructions per second of a loop, by the wall clock between two bytes on the serial line. */
export function runLoop(subject: BootSubject, loop: Loop): Promise<number> {
  const folder = mkdtempSync(join(tmpdir(), 'sterna-loop-'));
  const image = join(folder, 'loop.elf');
  writeFileSync(image, kernel(loop));
  const args = [
    '-M',
    'microvm,acpi=off',
    '-cpu',
    'qemu64',
    '-m',
    '16',
    '-nodefaults',
    '-display',
    'none',
    '-kernel',
    image,
    '-serial',
    'stdio',
  ];
  const child = spawn(subject.command[0]!, [...subject.command.slice(1), ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  return new Promise((resolve, reject) => {
    let started = 0;
    const limit = setTimeout(() => child.kill('SIGKILL'), 60_000);
    child.stdout.on('data', (chunk: Buffer) => {
      const text = chunk.toString('latin1');
      if (text.includes('S')) started = performance.now();
      if (!text.includes('E')) return;
      resolve((loop.instructions * loop.iterations) / (performance.now() - started) / 1000);
      child.kill('SIGTERM');
    });
    child.on('error', reject);
    child.on('exit', () => {
      clearTimeout(limit);
      rmSync(folder, { recursive: true, force: true });
      reject(new Error(`${subject.name} ended before the loop '${loop.name}' did`));
    });
  });
}

import { AT, END_VECTOR, SEL, VAR, VECTORS } from './places.ts';

/** 64-bit handlers: log the exception, then go on after the instruction, or do what a service vector asks for. */
export function handlers64(w: { code: number; codeSize: number; data: number }): string {
  const pte = AT.high + ((w.data >>> 12) & 511) * 8;
  const codePte = AT.high + ((w.code >>> 12) & 511) * 8;
  return `
bits 64
org ${AT.handlers}
${stubs(64)}
common:
  push rax
  push rdx
  mov edx, [${VAR.log}]
  mov rax, [rsp+16]
  mov [rdx], rax
  mov rax, [rsp+24]
  mov [rdx+8], rax
  mov rax, [rsp+32]
  mov [rdx+16], rax
  mov rax, [rsp+48]
  mov [rdx+24], rax
  mov rax, cr2
  mov [rdx+32], rax
  mov rax, [rsp+56]
  mov [rdx+40], rax
  mov rax, [rsp+40]
  mov [rdx+48], rax
  push rdx
  rdtsc
  pop rdx
  mov [rdx+56], eax
  add edx, 64
  and edx, ${AT.log | 0xfff}
  mov [${VAR.log}], edx
  mov eax, [rsp+16]
  cmp eax, ${END_VECTOR}
  je finish
  cmp eax, 32
  jae service
  cmp eax, 1
  je single
  cmp eax, 4
  jbe maybe
skip:
  mov rax, [rsp+32]
  sub rax, ${w.code}
  cmp rax, ${w.codeSize}
  jae runaway
  movzx eax, word [rax*2+${AT.table}]
  add rax, ${w.code}
  mov [rsp+32], rax
out:
  pop rdx
  pop rax
  add rsp, 16
  iretq
single:
  and dword [rsp+48], 0xfffffeff
  jmp out
maybe:
  test eax, eax
  je skip
  jmp out
runaway:
  mov eax, [${VAR.resume}]
  mov [rsp+32], rax
  mov eax, [${VAR.stack}]
  mov [rsp+56], rax
  mov dword [rsp+48], 0x202
  jmp out
finish:
  cli
  hlt
  jmp finish
service:
  push rcx
  cmp eax, 0x50
  je s_invlpg
  cmp eax, 0x51
  je s_cr3
  cmp eax, 0x52
  je s_toggle
  cmp eax, 0x53
  je s_swap
  cmp eax, 0x54
  je s_code
  cmp eax, 0x55
  je s_wp
  cmp eax, 0x56
  je s_global
s_out:
  pop rcx
  jmp out
s_invlpg:
  mov eax, [rsp+16]
  and eax, 15
  shl eax, 12
  add eax, ${w.data}
  invlpg [rax]
  jmp s_out
s_cr3:
  mov rax, cr3
  mov cr3, rax
  jmp s_out
s_toggle:
  mov ecx, [rsp+16]
  shr ecx, 4
  and ecx, 3
  mov edx, 1
  shl edx, cl
  and edx, 7
  mov eax, [rsp+16]
  and eax, 7
  xor [rax*8+${pte + 8}], edx
  shl eax, 12
  add eax, ${w.data + 0x1000}
  invlpg [rax]
  jmp s_out
s_swap:
  mov rax, [${pte + 8}]
  mov rcx, [${pte + 16}]
  mov [${pte + 8}], rcx
  mov [${pte + 16}], rax
  mov eax, ${w.data + 0x1000}
  invlpg [rax]
  mov eax, ${w.data + 0x2000}
  invlpg [rax]
  jmp s_out
s_code:
  mov rax, [${codePte + 16}]
  mov rcx, [${codePte + 24}]
  mov [${codePte + 16}], rcx
  mov [${codePte + 24}], rax
  mov eax, ${w.code + 0x2000}
  invlpg [rax]
  mov eax, ${w.code + 0x3000}
  invlpg [rax]
  jmp s_out
s_wp:
  mov rax, cr0
  xor eax, 0x10000
  mov cr0, rax
  jmp s_out
s_global:
  mov rax, cr4
  xor eax, 0x80
  mov cr4, rax
  jmp s_out
`;
}

function stubs(bits: 64 | 32 | 16): string {
  const out: string[] = [];
  for (let v = 0; v < VECTORS; v++) {
    const hasError = bits !== 16 && (v === 8 || (v >= 10 && v <= 14) || v === 17);
    out.push(`times ${v * 16}-($-$$) db 0x90`);
    if (!hasError) out.push('  push byte 0');
    out.push(`  push byte ${v}`, '  jmp near common');
  }
  return out.join('\n');
}

/** The same in 32 bits, with and without a change of stacks. */
export function handlers32(w: { code: number; codeSize: number; data: number; cpl: number; paging: boolean }): string {
  const pt = AT.high;
  const pte = pt + ((w.data >>> 12) & 1023) * 4;
  const codePte = pt + ((w.code >>> 12) & 1023) * 4;
  const user = w.cpl === 3;
  const services = w.paging
    ? `
  cmp eax, 0x50
  je s_invlpg
  cmp eax, 0x51
  je s_cr3
  cmp eax, 0x52
  je s_toggle
  cmp eax, 0x53
  je s_swap
  cmp eax, 0x54
  je s_code
  cmp eax, 0x55
  je s_wp
  jmp out
s_invlpg:
  mov eax, [esp+8]
  and eax, 15
  shl eax, 12
  add eax, ${w.data}
  invlpg [eax]
  jmp out
s_cr3:
  mov eax, cr3
  mov cr3, eax
  jmp out
s_toggle:
  push ecx
  mov ecx, [esp+12]
  shr ecx, 4
  and ecx, 3
  mov edx, 1
  shl edx, cl
  and edx, 7
  mov eax, [esp+12]
  and eax, 7
  xor [eax*4+${pte + 4}], edx
  shl eax, 12
  add eax, ${w.data + 0x1000}
  invlpg [eax]
  pop ecx
  jmp out
s_swap:
  mov eax, [${pte + 4}]
  mov edx, [${pte + 8}]
  mov [${pte + 4}], edx
  mov [${pte + 8}], eax
  mov eax, ${w.data + 0x1000}
  invlpg [eax]
  add eax, 0x1000
  invlpg [eax]
  jmp out
s_code:
  mov eax, [${codePte + 8}]
  mov edx, [${codePte + 12}]
  mov [${codePte + 8}], edx
  mov [${codePte + 12}], eax
  mov eax, cr3
  mov cr3, eax
  jmp out
s_wp:
  mov eax, cr0
  xor eax, 0x10000
  mov cr0, eax
  jmp out
`
    : '  jmp out';
  const runaway = user
    ? `
  mov eax, [${VAR.resume}]
  mov [esp+20], eax
  mov eax, [${VAR.stack}]
  mov [esp+32], eax
  mov dword [esp+28], 0x202
  mov eax, ${SEL.userData}
  mov [esp], eax
  mov es, ax
  jmp out`
    : `
  mov eax, ${SEL.kernelData}
  mov es, ax
  mov ss, ax
  mov esp, [${VAR.stack}]
  push dword 0x202
  push dword ${SEL.kernel32}
  push dword [${VAR.resume}]
  iretd`;
  return `
bits 32
org ${AT.handlers}
${stubs(32)}
common:
  push eax
  push edx
  push ds
  mov eax, ${SEL.kernelData}
  mov ds, ax
  mov edx, [${VAR.log}]
  mov eax, [esp+12]
  mov [edx], eax
  mov eax, [esp+16]
  mov [edx+8], eax
  mov eax, [esp+20]
  mov [edx+16], eax
  mov eax, [esp+28]
  mov [edx+24], eax
  mov eax, cr2
  mov [edx+32], eax
  lea eax, [esp+32]
  mov [edx+40], eax
  mov eax, [esp+24]
  mov [edx+48], eax
  push edx
  rdtsc
  pop edx
  mov [edx+56], eax
  add edx, 64
  and edx, ${AT.log | 0xfff}
  mov [${VAR.log}], edx
  mov eax, [esp+12]
  cmp eax, ${END_VECTOR}
  je finish
  cmp eax, 32
  jae service
  cmp eax, 1
  je single
  cmp eax, 4
  jbe maybe
skip:
  mov eax, [esp+20]
  sub eax, ${w.code}
  cmp eax, ${w.codeSize}
  jae runaway
  movzx eax, word [eax*2+${AT.table}]
  add eax, ${w.code}
  mov [esp+20], eax
out:
  pop ds
  pop edx
  pop eax
  add esp, 8
  iretd
single:
  and dword [esp+28], 0xfffffeff
  jmp out
maybe:
  test eax, eax
  je skip
  jmp out
runaway:
${runaway}
finish:
  cli
  hlt
  jmp finish
service:
${services}
`;
}

/** Real mode: everything is in the first 64 KiB. */
export function handlers16(w: { code: number; codeSize: number }): string {
  return `
bits 16
org 0x1000
${stubs(16)}
common:
  push ax
  push dx
  push bp
  push ds
  push bx
  xor ax, ax
  mov ds, ax
  mov bp, sp
  mov bx, [0x3000]
  mov ax, [bp+10]
  mov [bx], ax
  mov ax, [bp+14]
  mov [bx+2], ax
  mov ax, [bp+16]
  mov [bx+4], ax
  mov ax, [bp+18]
  mov [bx+6], ax
  rdtsc
  mov [bx+8], eax
  add bx, 16
  and bx, 0x2fff
  mov [0x3000], bx
  mov ax, [bp+10]
  cmp ax, ${END_VECTOR}
  je finish
  cmp ax, 32
  jae out
  cmp ax, 1
  je single
  cmp ax, 4
  jbe maybe
skip:
  mov bx, [bp+14]
  sub bx, ${w.code}
  cmp bx, ${w.codeSize}
  jae runaway
  add bx, bx
  mov ax, [bx+0x8000]
  add ax, ${w.code}
  mov [bp+14], ax
out:
  pop bx
  pop ds
  pop bp
  pop dx
  pop ax
  add sp, 4
  iret
single:
  and word [bp+18], 0xfeff
  jmp out
maybe:
  test ax, ax
  je skip
  jmp out
runaway:
  xor ax, ax
  mov es, ax
  mov ss, ax
  mov sp, [0x3004]
  push word 0x202
  push word 0
  push word [0x3002]
  iret
finish:
  cli
  hlt
  jmp finish
`;
}

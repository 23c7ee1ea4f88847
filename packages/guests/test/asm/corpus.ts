/** Lines of assembly that cover the instruction tables, for comparison with another assembler. */

type Bits = 16 | 32 | 64;

const REGISTERS: Record<number, string[]> = {
  8: ['al', 'bl', 'cl', 'ah', 'dh'],
  16: ['ax', 'bx', 'cx', 'sp', 'bp'],
  32: ['eax', 'ebx', 'ecx', 'esp', 'ebp', 'edi'],
  64: ['rax', 'rbx', 'rcx', 'rsp', 'rbp', 'r8', 'r12', 'r13', 'r15'],
};
const REGISTERS_REX: Record<number, string[]> = { 8: ['sil', 'r9b', 'spl'], 16: ['r10w'], 32: ['r8d', 'r14d'], 64: [] };
const MEMORY: Record<Bits, string> = {
  16: '[bx]|[bx+si]|[bp+di+5]|[bp]|[si-2]|[di+0x1234]|[0x1234]|[es:bx]|[eax]|[ebx+ecx*4+8]|[dword 0x12345]',
  32:
    '[eax]|[ebp]|[esp]|[esp+4]|[ebx+ecx]|[ebp+eax]|[eax+ebp]|[eax+esp]|[ecx*2]|[ecx*2+4]|[ecx*4]|[ecx*3]|[ecx*5+7]|' +
    '[ecx*9]|[eax+ecx*8-0x80]|[eax+0x80]|[0x12345678]|[0xfee00000]|[fs:0x10]|[cs:eax+edx*2]|[bx+si]|[lab]|[eax+lab]|' +
    '[ebx*1]|[ebx*1+4]|[eax+eax]|[esp+ebp]|[eax+0xfffffff0]|[byte eax+4]|[dword eax+4]|[eax*1+ebx]|[edi+edi*8]',
  64:
    '[rax]|[rbp]|[rsp]|[r12]|[r13]|[rsp+4]|[rbx+rcx]|[rbp+rax]|[r13+rax]|[rax+rsp]|[rcx*2]|[rcx*4]|[r9*3]|[r12*8+r12]|' +
    '[rcx*9-4]|[rax+rcx*8-0x80]|[rax+0x80]|[0x12345678]|[rel lab]|[abs lab]|[lab]|[rax+lab]|[gs:8]|[gs:rel lab]|[eax]|' +
    '[eax+ecx*4]|[r8d]|[rax-129]|[r13+r13]|[rbx*1]|[rsp+8]|[rax + 4 - 2 + 1]|[dword rax+4]',
};
const IMMEDIATES: Record<number, string> = {
  8: '0|1|5|-1|0x7f|-128|0x80|0xff',
  16: '0|1|-1|0x7f|0x80|-128|-129|0xfff0|0xffff|0x1234',
  32: '0|1|-1|0x80|-128|0xfffffff0|0x12345678|0x80000000|lab|lab2-lab|lab2',
  64: '0|1|-1|0x7f|0x80|-128|-129|0x7fffffff|-0x80000000|lab2-lab',
};
const SIZE_WORD: Record<number, string> = { 8: 'byte', 16: 'word', 32: 'dword', 64: 'qword' };
const ANY_SIZE_MEMORY =
  'lgdt|lidt|sgdt|sidt|invlpg|fxsave|fxrstor|ldmxcsr|stmxcsr|fldcw|fnstcw|fstcw|fnstsw|fstsw|fldenv|fnstenv|fstenv|' +
  'frstor|fnsave|fsave|prefetcht0|prefetchnta|clflush|setb|sldt|str|smsw|lmsw|lldt|ltr|verr|cmpxchg8b|prefetchw|fbld|' +
  'fbstp|lddqu xmm1,|movlps xmm1,|movhpd xmm3,|movdqa xmm3,|movsd xmm3,|movq xmm3,|addss xmm2,|sqrtpd xmm7,|' +
  'cvtdq2pd xmm1,|paddb mm3,|paddb xmm3,|cmpltps xmm1,|jmp far|call far|call|jmp|mov ds,|lock inc dword';
const NO_OPERANDS =
  'fxch|fcompp|fucompp|fucom|fucomp|fchs|fabs|ftst|fxam|fld1|fldl2t|fldl2e|fldpi|fldlg2|fldln2|fldz|f2xm1|fyl2x|fptan|' +
  'fpatan|fxtract|fprem1|fdecstp|fincstp|fprem|fyl2xp1|fsqrt|fsincos|frndint|fscale|fsin|fcos|fnop|fninit|finit|fnclex|' +
  'fclex|wait|emms|cpuid|rdtsc|rdmsr|wrmsr|clts|hlt|cli|sti|syscall|sysret|sysenter|sysexit|iret|iretw|iretd|rsm|ud2|' +
  'lfence|mfence|sfence|pause|nop|lahf|sahf|cbw|cwde|cwd|cdq|pushf|popf|pushfw|leave|ret|retf|int3|cmc|clc|stc|cld|std|' +
  'movsb|movsw|movsd|cmpsb|cmpsw|cmpsd|stosb|stosw|stosd|lodsb|lodsw|lodsd|scasb|scasw|scasd|insb|insw|insd|outsb|' +
  'outsw|outsd|xlatb|monitor|mwait|vmmcall|wbinvd|invd|rdpmc|rdtscp|endbr64|rep movsd|rep stosb|fadd|fsubp|fdivrp';
const SINGLE =
  'ret 8|retf 8|int 0x80|enter 8,0|in al,0x70|in ax,0x70|in eax,0x70|in al,dx|in ax,dx|in eax,dx|out 0x70,al|' +
  'out 0x70,eax|out dx,al|out dx,ax|fnstsw ax|fstsw ax|o16 ret|o32 iret|repne scasb|repe cmpsb|a32 movsb|ffree st3|' +
  'fld st3|fst st2|fstp st1|lldt ax|ltr ax|verr cx|lmsw ax|lar eax,cx|psrlw mm1,3|psraw xmm2,3|psllq xmm1,4|' +
  'pslldq xmm1,4|pshuflw xmm1,xmm2,3|shufps xmm1,xmm2,3|pextrw eax,mm1,2|pextrw eax,xmm1,2|pinsrw mm1,eax,2|' +
  'pinsrw xmm1,eax,2|movd mm1,eax|movd eax,xmm2|movq mm1,mm2|movq2dq xmm1,mm2|movdq2q mm1,xmm2|pmovmskb eax,xmm1|' +
  'movmskps eax,xmm1|maskmovq mm1,mm2|cvtpi2ps xmm1,mm2|cvtps2pi mm1,xmm2|cvtsi2sd xmm1,eax|cvttsd2si eax,xmm1|' +
  'jmp lab|jmp near lab|jmp far1|call lab|call far1|jmp lab2|jz lab|jz near lab|jnle far1|push byte 5|push word 5|' +
  'push 5|push 0x1234|push lab|add eax,strict dword 5|add eax,byte 5|add eax,dword 5|push strict dword 5';
const LEGACY_ONLY =
  'pusha|popa|pushad|popad|aaa|aas|daa|das|aam|aad|into|aam 5|jmp 8:0x1234|call 8:0x1234|jmp dword 8:0x12345678|' +
  'bound eax,[eax]|les eax,[eax]|lds bx,[eax]|push cs|arpl ax,bx|pushfd|mov cr0,eax|mov eax,cr3|mov dr7,eax';
const LONG_ONLY =
  'cdqe|cqo|pushfq|popfq|movsq|stosq|iretq|swapgs|retfq|mov cr0,rax|mov cr8,rax|mov r9,cr3|mov dr7,r10|rep stosq|' +
  'o64 sysret|fxrstor64 [rax]|cmpxchg16b [rdi]|movq xmm1,rax|movq rax,xmm9|movq mm1,rax|cvtsi2sd xmm1,rax|' +
  'cvttsd2si rax,xmm9|xchg eax,eax|xchg rax,rax|call rax|jmp r9|mov rax,0xffffffff|mov rax,0x100000000|mov rax,-1|' +
  'mov rax,lab|mov rax,strict dword 5|mov rax,dword lab|mov rax,[qword 0x123456789abcdef0]|push qword 5|sldt rax|' +
  'lldt r9w|str rax|smsw rcx|mov rax,ds|movsxd rax,ecx|rdfsbase eax|wrgsbase rdx';
const SSE =
  'addps|addpd|addss|addsd|mulps|sqrtss|minpd|maxss|divps|andps|andnpd|orps|xorpd|unpcklps|unpckhpd|ucomiss|comisd|' +
  'rcpps|rsqrtss|haddps|hsubpd|addsubps|cvtps2pd|cvtpd2ps|cvtss2sd|cvtsd2ss|cvtdq2ps|cvtps2dq|cvttps2dq|cvtpd2dq|' +
  'movaps|movapd|movups|movss|movsd|movdqa|movdqu|movhlps|movlhps|movsldup|movddup|cmpeqps|cmpnlesd|cmpunordss|' +
  'punpcklqdq|punpckhqdq|movq|maskmovdqu|punpcklbw|packsswb|pcmpgtd|psrlq|paddq|pmullw|pand|pavgb|pmuludq|psubq';

/** All lines for one code size; the choice of operands turns with a counter, so it is the same every time. */
export function corpus(bits: Bits): string[] {
  const lines: string[] = [];
  let turn = 0;
  const one = (list: readonly string[]): string => list[turn++ % list.length]!;
  const memory = MEMORY[bits].split('|');
  const sizes = bits === 64 ? [8, 16, 32, 64] : [8, 16, 32];
  const registers = (size: number): string[] => [...REGISTERS[size]!, ...(bits === 64 ? REGISTERS_REX[size]! : [])];
  const immediates = (size: number): string[] => IMMEDIATES[size]!.split('|');

  for (const size of sizes) {
    const word = SIZE_WORD[size]!;
    for (const op of ['add', 'or', 'adc', 'sbb', 'and', 'sub', 'xor', 'cmp', 'mov', 'test']) {
      for (const register of registers(size)) {
        lines.push(`${op} ${register},${one(registers(size))}`, `${op} ${register},${one(memory)}`);
        lines.push(`${op} ${one(memory)},${register}`, `${op} ${register},${one(immediates(size))}`);
      }
      for (const place of memory) lines.push(`${op} ${word} ${place},${one(immediates(size))}`);
    }
    for (const op of ['rol', 'ror', 'rcl', 'rcr', 'shl', 'shr', 'sar'])
      for (const count of ['1', 'cl', '3', 'byte 1'])
        lines.push(`${op} ${one(registers(size))},${count}`, `${op} ${word} ${one(memory)},${count}`);
    for (const op of ['inc', 'dec', 'neg', 'not', 'mul', 'imul', 'div', 'idiv'])
      for (const register of registers(size)) lines.push(`${op} ${register}`, `${op} ${word} ${one(memory)}`);
    if (size === 8) continue;
    for (const register of registers(size)) {
      for (const op of ['imul', 'bsf', 'bsr', 'tzcnt', 'popcnt', 'cmove', 'cmovnle', 'xchg', 'lea'])
        lines.push(`${op} ${register},${one(memory)}`);
      for (const op of ['imul', 'bsf', 'cmovb', 'xchg', 'bt', 'btc', 'cmpxchg', 'xadd'])
        lines.push(`${op} ${register},${one(registers(size))}`);
      lines.push(
        `imul ${register},${one(memory)},${one(immediates(size))}`,
        `imul ${register},${one(immediates(size))}`,
      );
      lines.push(
        `bts ${word} ${one(memory)},5`,
        `shld ${one(memory)},${register},5`,
        `shrd ${one(memory)},${register},cl`,
      );
      lines.push(`movzx ${register},byte ${one(memory)}`, `movsx ${register},${one(registers(8))}`);
      lines.push(`mov ${register},fs`, `mov es,${register}`, `nop ${register}`, `lss ${register},${one(memory)}`);
      if (size !== (bits === 64 ? 32 : 64)) lines.push(`push ${register}`, `pop ${register}`);
      if (size > 16) lines.push(`bswap ${register}`, `movzx ${register},word ${one(memory)}`);
    }
  }
  for (const place of memory) {
    for (const op of ANY_SIZE_MEMORY.split('|')) lines.push(`${op} ${place}`);
    for (const op of ['fadd', 'fsubr', 'fdiv', 'fcomp', 'fld', 'fst', 'fstp'])
      lines.push(`${op} dword ${place}`, `${op} qword ${place}`);
    for (const op of ['fiadd', 'fisubr', 'fild', 'fistp', 'fisttp'])
      lines.push(`${op} word ${place}`, `${op} dword ${place}`);
    lines.push(`fistp qword ${place}`, `fld tword ${place}`, `movntps ${place},xmm2`, `pshufd xmm1,${place},3`);
  }
  for (const op of ['fadd', 'fmul', 'fsub', 'fsubr', 'fdiv', 'fdivr'])
    lines.push(`${op} st1`, `${op} st0,st2`, `${op} st3,st0`, `${op}p st1`, `${op}p st3,st0`);
  for (const op of ['fxch', 'fcom', 'fucomp', 'fcomi', 'fucomip', 'fcmovb', 'fcmovnu'])
    lines.push(`${op} st3`, `${op} st0,st3`);
  const wide = bits === 64 ? ['xmm0', 'xmm7', 'xmm8', 'xmm15'] : ['xmm0', 'xmm7'];
  for (const op of SSE.split('|')) for (const register of wide) lines.push(`${op} ${register},${one(wide)}`);
  lines.push(...NO_OPERANDS.split('|'), ...SINGLE.split('|'), ...(bits === 64 ? LONG_ONLY : LEGACY_ONLY).split('|'));
  // Some combinations do not exist: AH to DH beside a REX prefix, and 64-bit memory operands of a 32-bit instruction.
  const high = /\b[a-d]h\b/;
  const rex = /\br\d|\b(sil|dil|spl|bpl)\b|\bqword\b|^movsx r/;
  return [...new Set(lines)].filter((line) => !(high.test(line) && rex.test(line)));
}

import { AT, type Box, descriptor, type Mode, SEL } from './box.ts';
import type { Row } from './delivery-cases.ts';

/*
 * Every kind of descriptor through every instruction that looks at one. A case runs its instruction for all selectors of a
 * table; faults are logged by handlers and the loop goes on, so one run compares some hundred outcomes.
 */

const LOG = 0x1_8000;
const TABLE = 0x1_6000;
/** Present descriptors: types 0-31 (S and type), levels 0 and 3, sixteen bytes apart so that upper halves are zero. */
const FIRST = 0x100;
const KINDS = 64;

const selectors = [
  ...Array.from({ length: 4 }, (_, rpl) => rpl),
  ...Array.from({ length: KINDS }, (_, i) => FIRST + i * 16).flatMap((s) => [s, s | 3]),
  ...[SEL.notPresent, SEL.execOnly, SEL.readOnly, SEL.data16, 0xff0, 0x1000, 0x104, 0x4, 0x7],
];

function fill(b: Box, long: boolean): void {
  for (let i = 0; i < KINDS; i++) {
    const type = i & 31;
    const dpl = i & 32 ? 0x6000 : 0;
    // code: 64-bit in long mode; data: 32-bit
    const width = (type & 0x18) === 0x18 && long ? 0xa0_0000 : 0xc0_0000;
    b.write64(AT.gdt + FIRST + i * 16, descriptor(0, 0xf_ffff, width | (type << 8) | dpl | 0x8000));
    b.write64(AT.gdt + FIRST + i * 16 + 8, 0n);
  }
  b.state.set('gdtLimit', 0xfff);
  b.write64(AT.ldt, descriptor(0, 0xf_ffff, 0xc0_f300));
  selectors.forEach((s, i) => void b.write32(TABLE + i * 4, s));
  b.write32(TABLE + selectors.length * 4, 0xffff_ffff);
}

const INSTRUCTIONS: Readonly<Record<string, string>> = {
  'MOV DS': 'mov ds, eax',
  'MOV SS': 'mov ss, eax',
  'MOV GS': 'mov gs, eax',
  LAR: 'lar ecx, eax',
  LSL: 'lsl ecx, eax',
  VERR: 'verr ax',
  VERW: 'verw ax',
  LLDT: 'lldt ax',
  LTR: 'ltr ax',
};
const MODES: readonly Mode[] = ['prot32', 'user32', 'long', 'user64'];

function program(mode: Mode, instruction: string): string {
  const wide = mode === 'long' || mode === 'user64';
  const data = mode.startsWith('user') ? SEL.userData : SEL.data32;
  const [a, c, sp, flags, ret] = wide
    ? ['rax', 'rcx', 'rsp', 'pushfq', 'iretq']
    : ['eax', 'ecx', 'esp', 'pushfd', 'iretd'];
  const handler = (v: number): string => `h${v}: mov dword [ss:edi], ${v}
pop ${a}
mov [ss:edi+4], eax
add edi, 16
mov ${wide ? 'qword' : 'dword'} [${sp}], next
${ret}`;
  return `mov edi, ${LOG}
mov esi, ${TABLE}
next: mov eax, ${data}
mov ss, eax
mov ds, eax
mov eax, [esi]
add esi, 4
cmp eax, -1
je done
mov ecx, 0x5a5a5a5a
xor ebx, ebx
${instruction}
${flags}
pop ${c === 'rcx' ? 'rbx' : 'ebx'}
mov [ss:edi], ebx
mov [ss:edi+4], ecx
mov bx, ds
mov [ss:edi+8], bx
mov bx, ss
mov [ss:edi+10], bx
mov bx, gs
mov [ss:edi+12], bx
add edi, 16
jmp next
done: mov eax, ${data}
mov ss, eax
ud2
times 256 - ($ - $$) db 0x90
${[10, 11, 12, 13].map((v) => `times ${(v - 10) * 64 + 256} - ($ - $$) db 0x90\n${handler(v)}`).join('\n')}`;
}

/** Descriptor kinds against instructions, with the outcomes logged to memory. Only meaningful as a comparison. */
export const SELECTOR_CASES: readonly Row[] = MODES.flatMap((mode) =>
  Object.entries(INSTRUCTIONS)
    .filter(([name]) => !(mode.startsWith('user') && (name === 'LLDT' || name === 'LTR')))
    .map(
      ([name, instruction]): Row => ({
        name: `all descriptors: ${name}`,
        mode,
        code: program(mode, instruction),
        setup: (b) => {
          const long = mode === 'long' || mode === 'user64';
          fill(b, long);
          for (const v of [10, 11, 12, 13]) {
            const at = AT.code + 256 + (v - 10) * 64;
            if (long) b.gate64(v, SEL.code64, at, 0x8e00);
            else b.gate32(v, SEL.code32, at, 0x8e00);
          }
        },
        vector: 6,
      }),
    ),
);

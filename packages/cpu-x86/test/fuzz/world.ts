import { assemble } from '@sterna/guests';

/** Kinds of environment a program runs in. */
export const WORLD_NAMES = ['long3', 'long0', 'compat3', 'paged3', 'paged0', 'flat0', 'real'] as const;
export type WorldName = (typeof WORLD_NAMES)[number];

/** Size of RAM at physical 0. */
export const RAM_SIZE = 0x80000;
/** Physical address of the device page; beyond RAM. */
export const DEVICE_PAGE = 0x90000;
export const CODE_PAGES = 4;
export const DATA_PAGES = 10;
/** Vector that ends a program. */
export const END_VECTOR = 0x5f;
const VECTORS = 0x60;

/** Guest-physical places; the kernel part is mapped one to one. */
const AT = {
  pml4: 0x1000,
  pdpt: 0x2000,
  pd: 0x3000,
  low: 0x4000,
  high: 0x5000,
  pd32: 0x6000,
  gdt: 0x8000,
  idt: 0x9000,
  tss: 0xa000,
  handlers: 0xb000,
  log: 0xe000,
  vars: 0xf000,
  table: 0x10000,
  ist1: 0x19000,
  ist2: 0x1a000,
  kernelStack: 0x1b000,
  code: 0x20000,
  data: 0x28000,
  stack: 0x38000,
} as const;
const VAR = { log: AT.vars, resume: AT.vars + 8, stack: AT.vars + 16 } as const;
/** Selectors. */
export const SEL = {
  kernel64: 0x08,
  kernelData: 0x10,
  kernel32: 0x18,
  user64: 0x23,
  userData: 0x2b,
  user32: 0x33,
  tss: 0x38,
} as const;

/** Where a program finds things, and how its processor starts. */
export interface World {
  readonly name: WorldName;
  readonly bits: 16 | 32 | 64;
  readonly long: boolean;
  readonly paging: boolean;
  readonly cpl: 0 | 3;
  /** Linear addresses. */
  readonly code: number;
  /** The code pages a second time, writable. */
  readonly codeAlias: number;
  readonly codeSize: number;
  readonly data: number;
  readonly dataAlias: number;
  readonly stackTop: number;
  /** RAM before the program's code and data are put in. */
  readonly image: Uint8Array;
  /** Physical addresses of code and data pages. */
  readonly codePages: readonly number[];
  readonly dataPages: readonly number[];
  /** Physical pages: [guest page, RAM page, read, write]; anything else in the first MiB is device memory. */
  readonly map: readonly (readonly [number, number, boolean, boolean])[];
  readonly table: number;
  readonly resume: number;
}

const PRESENT = 1;
const WRITE = 2;
const USER = 4;
/** What page `i` of the data area allows; -1 is the device. */
const DATA_RIGHTS = [7, 7, 7, 5, 7, 0, 7, 3, -1, 7] as const;

function handlers64(w: { code: number; codeSize: number; data: number }): string {
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

function handlers32(w: { code: number; codeSize: number; data: number; cpl: number; paging: boolean }): string {
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

/** Real mode: everything is in the first 64 KiB; the resume table is bytes long for lack of room. */
function handlers16(w: { code: number; codeSize: number }): string {
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

function descriptor(base: number, limit: number, flags: number): bigint {
  const low = ((limit & 0xffff) | ((base & 0xffff) << 16)) >>> 0;
  const high = (((base >>> 16) & 0xff) | (flags & 0xf0ff00) | (limit & 0xf0000) | (base & 0xff000000)) >>> 0;
  return BigInt(low) | (BigInt(high) << 32n);
}

/** Page maps: the kernel's RAM one to one, code, data and stack at their linear places. */
function paging(view: DataView, w: { long: boolean; cpl: number; writableCode: boolean }, places: Places): void {
  const user = w.cpl === 3 ? USER : 0;
  const put = (table: number, index: number, value: number): void => {
    if (w.long) view.setBigUint64(table + index * 8, BigInt(value), true);
    else view.setUint32(table + index * 4, value, true);
  };
  if (w.long) {
    put(AT.pml4, 0, AT.pdpt | PRESENT | WRITE | USER);
    put(AT.pdpt, 0, AT.pd | PRESENT | WRITE | USER);
    put(AT.pd, 0, AT.low | PRESENT | WRITE | USER);
    put(AT.pd, 1, AT.high | PRESENT | WRITE | USER);
  } else {
    put(AT.pd32, 0, AT.low | PRESENT | WRITE | USER);
    put(AT.pd32, 1, AT.high | PRESENT | WRITE | USER);
  }
  for (let page = 0; page < RAM_SIZE >>> 12; page++) put(AT.low, page, (page << 12) | PRESENT | WRITE | 0x100);
  const index = (linear: number): number => (linear >>> 12) & (w.long ? 511 : 1023);
  places.codePages.forEach((physical, i) => {
    put(AT.high, index(places.code) + i, physical | PRESENT | user | (w.writableCode ? WRITE : 0));
    put(AT.high, index(places.codeAlias) + i, physical | PRESENT | user | WRITE);
  });
  places.dataPages.forEach((physical, i) => {
    const rights = DATA_RIGHTS[i]!;
    const value = rights < 0 ? DEVICE_PAGE | PRESENT | WRITE | user : physical | (rights & (3 | user));
    put(AT.high, index(places.data) + i, value);
    put(AT.high, index(places.dataAlias) + i, rights < 0 ? 0 : physical | PRESENT | WRITE | user);
  });
  for (let i = 1; i <= 2; i++) {
    put(AT.high, index(places.stackTop) - i, (AT.stack + i * 0x1000) | PRESENT | WRITE | user);
  }
}

type Places = Pick<World, 'code' | 'codeAlias' | 'data' | 'dataAlias' | 'stackTop' | 'codePages' | 'dataPages'>;

function gates(view: DataView, long: boolean): void {
  for (let v = 0; v < VECTORS; v++) {
    const handler = AT.handlers + v * 16;
    const dpl = v >= 0x50 || v === 3 || v === 4 ? 0xee00 : 0x8e00;
    const size = long ? 16 : 8;
    // faults have a stack of their own, and so has the NMI, which may come while they are handled
    const ist = long ? (v === 2 ? 2 : v < 32 ? 1 : 0) : 0;
    view.setUint32(AT.idt + v * size, ((long ? SEL.kernel64 : SEL.kernel32) << 16) | (handler & 0xffff), true);
    view.setUint32(AT.idt + v * size + 4, (handler & 0xffff0000) | dpl | ist, true);
  }
  const gdt = [
    0n,
    descriptor(0, 0xfffff, 0xa09b00),
    descriptor(0, 0xfffff, 0xc09300),
    descriptor(0, 0xfffff, 0xc09b00),
    descriptor(0, 0xfffff, 0xa0fb00),
    descriptor(0, 0xfffff, 0xc0f300),
    descriptor(0, 0xfffff, 0xc0fb00),
    descriptor(AT.tss, 0x67, 0x8b00),
    0n,
  ];
  gdt.forEach((d, i) => {
    view.setBigUint64(AT.gdt + i * 8, d, true);
  });
  if (long) {
    view.setBigUint64(AT.tss + 4, BigInt(AT.kernelStack), true);
    view.setBigUint64(AT.tss + 0x24, BigInt(AT.ist1), true);
    view.setBigUint64(AT.tss + 0x2c, BigInt(AT.ist2), true);
  } else {
    view.setUint32(AT.tss + 4, AT.kernelStack, true);
    view.setUint32(AT.tss + 8, SEL.kernelData, true);
  }
  view.setUint16(AT.tss + 0x66, 0x68, true);
}

const worlds = new Map<WorldName, World>();

/** The environment of a name; made once. */
export function world(name: WorldName): World {
  let w = worlds.get(name);
  if (w === undefined) {
    w = name === 'real' ? realWorld() : protectedWorld(name);
    worlds.set(name, w);
  }
  return w;
}

function protectedWorld(name: Exclude<WorldName, 'real'>): World {
  const long = name === 'long3' || name === 'long0' || name === 'compat3';
  const paged = name !== 'flat0';
  const cpl = name.endsWith('3') ? 3 : 0;
  const image = new Uint8Array(RAM_SIZE);
  const view = new DataView(image.buffer);
  const places: Places = paged
    ? {
        code: long ? 0x20_0000 : 0x40_0000,
        codeAlias: long ? 0x21_0000 : 0x41_0000,
        data: long ? 0x22_0000 : 0x42_0000,
        dataAlias: long ? 0x24_0000 : 0x44_0000,
        stackTop: long ? 0x26_0000 : 0x46_0000,
        codePages: [0, 2, 1, 3].map((i) => AT.code + i * 0x1000),
        dataPages: Array.from({ length: DATA_PAGES }, (_, i) => AT.data + ((i * 3) % DATA_PAGES) * 0x1000),
      }
    : {
        code: AT.code,
        codeAlias: 0xa0000,
        data: AT.data,
        dataAlias: 0xb0000,
        stackTop: AT.stack + 0x2000,
        codePages: [0, 1, 2, 3].map((i) => AT.code + i * 0x1000),
        dataPages: Array.from({ length: DATA_PAGES }, (_, i) => AT.data + i * 0x1000),
      };
  const codeSize = CODE_PAGES * 0x1000;
  const text = long ? handlers64({ ...places, codeSize }) : handlers32({ ...places, codeSize, cpl, paging: paged });
  image.set(assemble(text).bytes, AT.handlers);
  gates(view, long);
  if (paged) paging(view, { long, cpl, writableCode: name !== 'compat3' }, places);
  view.setUint32(VAR.log, AT.log, true);
  view.setUint32(VAR.stack, places.stackTop - 0x100, true);
  const map: [number, number, boolean, boolean][] = [];
  for (let p = 0; p < RAM_SIZE; p += 0x1000) {
    const rights = paged || p < AT.data || p >= AT.data + DATA_PAGES * 0x1000 ? 7 : DATA_RIGHTS[(p - AT.data) >>> 12]!;
    if (rights > 0) map.push([p, p, true, (rights & WRITE) !== 0]);
  }
  if (!paged) {
    places.codePages.forEach((p, i) => {
      map.push([places.codeAlias + i * 0x1000, p, true, true]);
    });
    places.dataPages.forEach((p, i) => {
      map.push([places.dataAlias + i * 0x1000, p, true, true]);
    });
  }
  return {
    name,
    bits: name === 'long3' || name === 'long0' ? 64 : 32,
    long,
    paging: paged,
    cpl,
    ...places,
    codeSize,
    image,
    map,
    table: AT.table,
    resume: VAR.resume,
  };
}

function realWorld(): World {
  const image = new Uint8Array(RAM_SIZE);
  const view = new DataView(image.buffer);
  const code = 0x4000;
  const codeSize = 0x2000;
  image.set(assemble(handlers16({ code, codeSize })).bytes, 0x1000);
  for (let v = 0; v < 256; v++) view.setUint16(v * 4, 0x1000 + Math.min(v, VECTORS - 1) * 16, true);
  view.setUint16(0x3000, 0x2000, true);
  view.setUint16(0x3004, 0x7f00, true);
  const map: [number, number, boolean, boolean][] = [];
  for (let p = 0; p < RAM_SIZE; p += 0x1000) if (p !== 0xe000) map.push([p, p, true, p !== 0xf000]);
  map.push([0x10_0000, 0, true, true]);
  return {
    name: 'real',
    bits: 16,
    long: false,
    paging: false,
    cpl: 0,
    code,
    codeAlias: code,
    codeSize,
    data: 0xc000,
    dataAlias: 0xc000,
    stackTop: 0x8000,
    image,
    codePages: [0x4000, 0x5000],
    dataPages: [0xc000, 0xd000],
    map,
    table: 0x8000,
    resume: 0x3002,
  };
}

/** Control registers and tables of a world, to be put in the processor's state. */
export const SYSTEM = {
  pml4: AT.pml4,
  pd32: AT.pd32,
  gdt: AT.gdt,
  gdtLimit: 0x47,
  idt: AT.idt,
  idtLimit64: VECTORS * 16 - 1,
  idtLimit32: VECTORS * 8 - 1,
  tss: AT.tss,
} as const;

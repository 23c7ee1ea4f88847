import { assemble } from '@sterna/guests';
import { handlers16, handlers32, handlers64 } from './handlers.ts';
import { AT, CODE_PAGES, DATA_PAGES, DEVICE_PAGE, RAM_SIZE, SEL, VAR, VECTORS } from './places.ts';

/** Kinds of environment a program runs in. */
export const WORLD_NAMES = ['long3', 'long0', 'guarded0', 'compat3', 'paged3', 'paged0', 'flat0', 'real'] as const;
export type WorldName = (typeof WORLD_NAMES)[number];

/** Where a program finds things, and how its processor starts. */
export interface World {
  readonly name: WorldName;
  readonly bits: 16 | 32 | 64;
  readonly long: boolean;
  readonly paging: boolean;
  readonly cpl: 0 | 3;
  /** SMAP, SMEP and PCID are on, and some data pages are the user's. */
  readonly guarded: boolean;
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

function descriptor(base: number, limit: number, flags: number): bigint {
  const low = ((limit & 0xffff) | ((base & 0xffff) << 16)) >>> 0;
  const high = (((base >>> 16) & 0xff) | (flags & 0xf0ff00) | (limit & 0xf0000) | (base & 0xff000000)) >>> 0;
  return BigInt(low) | (BigInt(high) << 32n);
}

/** Page maps: the kernel's RAM one to one, code, data and stack at their linear places. */
function paging(
  view: DataView,
  w: { long: boolean; cpl: number; guarded: boolean; writableCode: boolean },
  places: Places,
): void {
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
    const mine = w.guarded && (i & 1) !== 0 ? USER : user;
    const value = rights < 0 ? DEVICE_PAGE | PRESENT | WRITE | user : physical | (rights & (3 | mine));
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
  const wide = name === 'long3' || name === 'long0' || name === 'guarded0';
  const long = wide || name === 'compat3';
  const guarded = name === 'guarded0';
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
  if (paged) paging(view, { long, cpl, guarded, writableCode: name !== 'compat3' }, places);
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
    bits: wide ? 64 : 32,
    long,
    paging: paged,
    cpl,
    guarded,
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
    guarded: false,
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

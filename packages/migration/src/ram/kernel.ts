/**
 * The inner loops of RAM migration as one small WebAssembly module on the
 * machine's shared memory: harvesting dirty flags, finding zero pages, writing
 * and reading page records. In JavaScript each page would cost a view of the
 * memory and the zero test runs at a tenth of the speed.
 */

import {
  PAGE_CLEAN_MIGRATION,
  PAGE_CODE,
  PAGE_MISSING,
  PAGE_PROTECTED,
  PAGE_SIZE,
  PAGE_UNTOUCHED,
  type WasmMemory,
  type WasmModule,
  wasmHost,
} from '@sterna/core';
import { type Code, type FuncRef, i32, type Label, ModuleBuilder, type Val } from '@sterna/wasm';
import { RAM_FLAG } from '../stream/constants.ts';
import { instantiateKernel, type RamKernel } from './kernel-instance.ts';
import { DELTA_HEADER } from './xbzrle-cache.ts';

type I = Val<'i32'>;

let compiled: WasmModule | undefined;

/** The kernels, compiled once; a thread gets the module instead of printing it again. */
export function ramKernelModule(): WasmModule {
  compiled ??= new wasmHost.Module(build());
  return compiled;
}

/**
 * Instantiates the kernels on a machine's memory.
 *
 * @param cells address of `KERNEL_CELLS` bytes for answers
 */
export function ramKernel(memory: WasmMemory, cells: number): RamKernel {
  return instantiateKernel(ramKernelModule(), memory, cells);
}

function build(): Uint8Array<ArrayBuffer> {
  const m = new ModuleBuilder();
  m.importMemory('host', 'memory', { min: 1, max: 65536, shared: true });
  const isZero = m.function('isZero', ['i32'], ['i32'], writeIsZero);
  m.export('isZero', isZero);
  m.export('harvest', m.function('harvest', ['i32', 'i32', 'i32'], ['i32'], writeHarvest));
  m.export(
    'emit',
    m.function('emit', Array(9).fill('i32'), ['i32'], (c) => writeEmit(c, isZero)),
  );
  const decode = m.function('decode', ['i32', 'i32', 'i32'], ['i32'], writeDecode);
  m.export('decode', decode);
  m.export(
    'absorb',
    m.function('absorb', Array(5).fill('i32'), ['i32'], (c) => writeAbsorb(c, decode)),
  );
  return m.build();
}

/** Stops at the first 128 bytes that are not zero; most pages with content have some at the front. */
export function writeIsZero(c: Code): void {
  const at = c.param('i32', 0);
  const end = c.let(c.add(at, i32(PAGE_SIZE)));
  c.loop((again) => {
    let all = c.load('v128', at);
    for (let i = 16; i < 128; i += 16) all = c.simd('v128.or', all, c.load('v128', at, i));
    c.if(c.simdTest('v128.any_true', all) as I, () => c.return(i32(0)));
    c.set(at, c.add(at, i32(128)));
    c.brIf(again, c.ltU(at, end));
  });
  c.return(i32(1));
}

function writeHarvest(c: Code): void {
  const [flags, map, pages] = [c.param('i32', 0), c.param('i32', 1), c.param('i32', 2)];
  const fresh = c.local('i32');
  const ones = c.let(c.simd('i8x16.splat', i32(PAGE_CLEAN_MIGRATION)));
  c.block((done) => {
    c.loop((again) => {
      c.brIf(done, c.ltU(pages, i32(16)));
      c.scope(() => {
        const old = c.let(c.load('v128', flags));
        const marked = c.let(c.load('v128', map));
        const dirty = c.let(c.simd('v128.andnot', ones, old));
        c.store('v128', map, c.simd('v128.or', marked, dirty));
        c.store('v128', flags, c.simd('v128.or', old, ones));
        const added = c.simd('v128.andnot', dirty, marked);
        c.set(fresh, c.add(fresh, c.popcnt(c.simdTest('i8x16.bitmask', c.simd('i8x16.eq', added, ones)))));
      });
      c.set(flags, c.add(flags, i32(16)));
      c.set(map, c.add(map, i32(16)));
      c.set(pages, c.sub(pages, i32(16)));
      c.br(again);
    });
  });
  c.block((done) => {
    c.loop((again) => {
      c.brIf(done, c.eqz(pages));
      c.scope(() => {
        const old = c.let(c.load('i32.8u', flags));
        const marked = c.let(c.load('i32.8u', map));
        const dirty = c.let(c.xor(c.and(old, i32(PAGE_CLEAN_MIGRATION)), i32(PAGE_CLEAN_MIGRATION)));
        c.set(fresh, c.add(fresh, c.and(dirty, c.xor(marked, i32(1)))));
        c.store('i32.8', map, c.or(marked, dirty));
        c.store('i32.8', flags, c.or(old, i32(PAGE_CLEAN_MIGRATION)));
      });
      c.set(flags, c.add(flags, i32(1)));
      c.set(map, c.add(map, i32(1)));
      c.set(pages, c.sub(pages, i32(1)));
      c.br(again);
    });
  });
  c.return(fresh);
}

/** Byte order of the wire. */
export function swap(c: Code, value: I): I {
  const x = c.let(value);
  return c.or(c.rotl(c.and(x, i32(0x00ff00ff | 0)), i32(24)), c.rotl(c.and(x, i32(0xff00ff00 | 0)), i32(8)));
}

/** Parameters of a kernel that looks for marks: an address of marks, the first page to look at, and where to stop. */
export interface MarkScan {
  readonly map: I;
  /** Advances; afterwards the first page that was not looked at. */
  readonly page: I;
  readonly pageEnd: I;
}

/** Runs `body` for each marked page, until it branches to its label. A mark stays until the body clears it. */
export function forMarkedPages(c: Code, { map, page, pageEnd }: MarkScan, body: (done: Label) => void): void {
  c.block((done) => {
    c.loop((again) => {
      c.brIf(done, c.geU(page, pageEnd));
      c.if(c.and(c.eqz(c.and(page, i32(15))), c.leU(c.add(page, i32(16)), pageEnd)), () => {
        c.if(c.eqz(c.simdTest('v128.any_true', c.load('v128', c.add(map, page)))), () => {
          c.set(page, c.add(page, i32(16)));
          c.br(again);
        });
      });
      c.if(c.load('i32.8u', c.add(map, page)), () => c.scope(() => body(done)));
      c.set(page, c.add(page, i32(1)));
      c.br(again);
    });
  });
}

/** Whether a page is zero. One that was never written is known to be, and is not read at all. */
export function pageIsZero(c: Code, isZero: FuncRef, flagAt: I, host: I): I {
  const zero = c.local('i32');
  c.set(zero, c.ne(c.and(c.load('i32.8u', flagAt), i32(PAGE_UNTOUCHED)), i32(0)));
  c.if(c.eqz(zero), () => c.set(zero, c.call(isZero, host)));
  return zero;
}

/** Writes a record's address and flags, CONTINUE among them. */
export function writeRecordHead(c: Code, out: I, address: I, flag: number): void {
  c.store('i32', out, i32(0));
  c.store('i32', out, swap(c, c.or(address, i32(RAM_FLAG.continue | flag))), 4);
}

/** Writes a ZERO record. */
export function writeZeroRecord(c: Code, out: I, address: I): void {
  writeRecordHead(c, out, address, RAM_FLAG.zero);
  c.store('i32.8', out, i32(0), 8);
}

function writeEmit(c: Code, isZero: FuncRef): void {
  const [out, outEnd, map, flags, block] = [0, 1, 2, 3, 4].map((i) => c.param('i32', i)) as [I, I, I, I, I];
  const [page, pageEnd, most, cells] = [5, 6, 7, 8].map((i) => c.param('i32', i)) as [I, I, I, I];
  const [zeros, others] = [c.local('i32'), c.local('i32')];
  forMarkedPages(c, { map, page, pageEnd }, (done) => {
    c.brIf(done, c.gtU(c.add(out, i32(8 + PAGE_SIZE)), outEnd));
    c.brIf(done, c.eqz(most));
    c.set(most, c.sub(most, i32(1)));
    c.store('i32.8', c.add(map, page), i32(0));
    const address = c.let(c.shl(page, i32(12)));
    const host = c.let(c.add(block, address));
    c.if(
      pageIsZero(c, isZero, c.add(flags, page), host),
      () => {
        writeZeroRecord(c, out, address);
        c.set(out, c.add(out, i32(9)));
        c.set(zeros, c.add(zeros, i32(1)));
      },
      () => {
        writeRecordHead(c, out, address, RAM_FLAG.page);
        c.memoryCopy(c.add(out, i32(8)), host, i32(PAGE_SIZE));
        c.set(out, c.add(out, i32(8 + PAGE_SIZE)));
        c.set(others, c.add(others, i32(1)));
      },
    );
  });
  c.store('i32', cells, out);
  c.store('i32', cells, zeros, 4);
  c.store('i32', cells, others, 8);
  c.return(page);
}

/**
 * Only the common records: CONTINUE with PAGE, XBZRLE or ZERO, inside the block. Everything else, hostile values included,
 * is left for the caller, who says what is wrong.
 */
function writeAbsorb(c: Code, decode: FuncRef): void {
  const [input, inputEnd, block, length, flags] = [0, 1, 2, 3, 4].map((i) => c.param('i32', i)) as [I, I, I, I, I];
  const tooShort = (wanted: number | I) =>
    c.ltU(c.sub(inputEnd, input), typeof wanted === 'number' ? i32(wanted) : wanted);
  c.block((done) => {
    c.loop((again) => {
      c.brIf(done, tooShort(9));
      c.brIf(done, c.ne(c.load('i32', input), i32(0)));
      const word = c.local('i32');
      c.set(word, swap(c, c.load('i32', input, 4)));
      const kind = c.let(c.and(word, i32(PAGE_SIZE - 1)));
      const address = c.let(c.sub(word, kind));
      c.brIf(done, c.gtU(address, c.sub(length, i32(PAGE_SIZE))));
      const host = c.let(c.add(block, address));
      const flagAt = c.let(c.add(flags, c.shrU(address, i32(12))));
      const flag = c.let(c.load('i32.8u', flagAt));
      // Decoded code there must be dropped by the CPU; waiting vCPUs must be told.
      c.brIf(done, c.and(flag, i32(PAGE_CODE | PAGE_MISSING | PAGE_PROTECTED)));
      const written = (bytes: I) => {
        c.store('i32.8', flagAt, i32(0));
        c.set(input, c.add(input, bytes));
        c.br(again);
      };
      c.if(c.eq(kind, i32(RAM_FLAG.continue | RAM_FLAG.page)), () => {
        c.brIf(done, tooShort(8 + PAGE_SIZE));
        c.memoryCopy(host, c.add(input, i32(8)), i32(PAGE_SIZE));
        written(i32(8 + PAGE_SIZE));
      });
      c.if(c.eq(kind, i32(RAM_FLAG.continue | RAM_FLAG.xbzrle)), () => {
        c.brIf(done, tooShort(8 + DELTA_HEADER));
        c.brIf(done, c.ne(c.load('i32.8u', input, 8), i32(1)));
        const size = c.let(c.or(c.shl(c.load('i32.8u', input, 9), i32(8)), c.load('i32.8u', input, 10)));
        c.brIf(done, c.gtU(size, i32(PAGE_SIZE)));
        const whole = c.let(c.add(size, i32(8 + DELTA_HEADER)));
        c.brIf(done, tooShort(whole));
        c.brIf(done, c.call(decode, host, c.add(input, i32(8 + DELTA_HEADER)), size));
        written(whole);
      });
      c.brIf(done, c.ne(kind, i32(RAM_FLAG.continue | RAM_FLAG.zero)));
      c.brIf(done, c.load('i32.8u', input, 8));
      c.if(c.eqz(c.and(flag, i32(PAGE_UNTOUCHED))), () => {
        c.memoryFill(host, i32(0), i32(PAGE_SIZE));
        c.store('i32.8', flagAt, i32(0));
      });
      c.set(input, c.add(input, i32(9)));
      c.br(again);
    });
  });
  c.return(input);
}

/** Reads runs of equal and of changed bytes by turns; every length is distrusted. */
function writeDecode(c: Code): void {
  const [page, input, length] = [0, 1, 2].map((i) => c.param('i32', i)) as [I, I, I];
  const end = c.let(c.add(input, length));
  const at = c.let(page);
  const pageEnd = c.let(c.add(page, i32(PAGE_SIZE)));
  const run = c.local('i32');
  const begun = c.local('i32');
  const malformed = (condition: I) => c.if(condition, () => c.return(i32(-1)));
  const left = () => c.sub(end, input);
  const readLength = () => {
    malformed(c.ltU(left(), i32(2)));
    c.set(run, c.load('i32.8u', input));
    c.set(input, c.add(input, i32(1)));
    c.if(c.geU(run, i32(0x80)), () => {
      const high = c.let(c.load('i32.8u', input));
      // A length has at most 14 bits.
      malformed(c.geU(high, i32(0x80)));
      c.set(run, c.or(c.and(run, i32(0x7f)), c.shl(high, i32(7))));
      c.set(input, c.add(input, i32(1)));
    });
  };
  c.block((done) => {
    c.loop((again) => {
      c.brIf(done, c.geU(input, end));
      readLength();
      malformed(c.and(c.eqz(run), begun));
      c.set(begun, i32(1));
      malformed(c.gtU(run, c.sub(pageEnd, at)));
      c.set(at, c.add(at, run));
      readLength();
      malformed(c.eqz(run));
      malformed(c.or(c.gtU(run, c.sub(pageEnd, at)), c.gtU(run, left())));
      c.memoryCopy(at, input, run);
      c.set(at, c.add(at, run));
      c.set(input, c.add(input, run));
      c.br(again);
    });
  });
  c.return(i32(0));
}

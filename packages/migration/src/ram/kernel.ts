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
import { type Code, i32, ModuleBuilder, type Val } from '@sterna/wasm';
import { RAM_FLAG } from '../stream/constants.ts';
import { instantiateKernel, type RamKernel } from './kernel-instance.ts';

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
  m.export('absorb', m.function('absorb', Array(6).fill('i32'), ['i32'], writeAbsorb));
  return m.build();
}

/** Stops at the first 128 bytes that are not zero; most pages with content have some at the front. */
function writeIsZero(c: Code): void {
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
function swap(c: Code, value: I): I {
  const x = c.let(value);
  return c.or(c.rotl(c.and(x, i32(0x00ff00ff | 0)), i32(24)), c.rotl(c.and(x, i32(0xff00ff00 | 0)), i32(8)));
}

function writeEmit(c: Code, isZero: ReturnType<ModuleBuilder['function']>): void {
  const [out, outEnd, map, flags, block] = [0, 1, 2, 3, 4].map((i) => c.param('i32', i)) as [I, I, I, I, I];
  const [page, pageEnd, most, cells] = [5, 6, 7, 8].map((i) => c.param('i32', i)) as [I, I, I, I];
  const [zeros, others] = [c.local('i32'), c.local('i32')];
  c.block((done) => {
    c.loop((again) => {
      c.brIf(done, c.geU(page, pageEnd));
      c.if(c.and(c.eqz(c.and(page, i32(15))), c.leU(c.add(page, i32(16)), pageEnd)), () => {
        c.if(c.eqz(c.simdTest('v128.any_true', c.load('v128', c.add(map, page)))), () => {
          c.set(page, c.add(page, i32(16)));
          c.br(again);
        });
      });
      c.if(c.load('i32.8u', c.add(map, page)), () => {
        c.brIf(done, c.gtU(c.add(out, i32(8 + PAGE_SIZE)), outEnd));
        c.brIf(done, c.eqz(most));
        c.set(most, c.sub(most, i32(1)));
        c.store('i32.8', c.add(map, page), i32(0));
        c.scope(() => {
          const address = c.let(c.shl(page, i32(12)));
          const host = c.let(c.add(block, address));
          const untouched = c.and(c.load('i32.8u', c.add(flags, page)), i32(PAGE_UNTOUCHED));
          c.store('i32', out, i32(0));
          // A page that was never written is known to be zero and is not read at all.
          const zero = c.local('i32');
          c.set(zero, c.ne(untouched, i32(0)));
          c.if(c.eqz(zero), () => c.set(zero, c.call(isZero, host)));
          c.if(
            zero,
            () => {
              c.store('i32', out, swap(c, c.or(address, i32(RAM_FLAG.continue | RAM_FLAG.zero))), 4);
              c.store('i32.8', out, i32(0), 8);
              c.set(out, c.add(out, i32(9)));
              c.set(zeros, c.add(zeros, i32(1)));
            },
            () => {
              c.store('i32', out, swap(c, c.or(address, i32(RAM_FLAG.continue | RAM_FLAG.page))), 4);
              c.memoryCopy(c.add(out, i32(8)), host, i32(PAGE_SIZE));
              c.set(out, c.add(out, i32(8 + PAGE_SIZE)));
              c.set(others, c.add(others, i32(1)));
            },
          );
        });
      });
      c.set(page, c.add(page, i32(1)));
      c.br(again);
    });
  });
  c.store('i32', cells, out);
  c.store('i32', cells, zeros, 4);
  c.store('i32', cells, others, 8);
  c.return(page);
}

/**
 * Only the common records: CONTINUE with PAGE or ZERO, inside the block. Everything else, hostile values included,
 * is left for the caller, who says what is wrong.
 */
function writeAbsorb(c: Code): void {
  const [input, inputEnd, block, length, flags, cells] = [0, 1, 2, 3, 4, 5].map((i) => c.param('i32', i)) as [
    I,
    I,
    I,
    I,
    I,
    I,
  ];
  const [zeros, others] = [c.local('i32'), c.local('i32')];
  c.block((done) => {
    c.loop((again) => {
      c.brIf(done, c.ltU(c.sub(inputEnd, input), i32(9)));
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
      c.if(c.eq(kind, i32(RAM_FLAG.continue | RAM_FLAG.page)), () => {
        c.brIf(done, c.ltU(c.sub(inputEnd, input), i32(8 + PAGE_SIZE)));
        c.memoryCopy(host, c.add(input, i32(8)), i32(PAGE_SIZE));
        c.store('i32.8', flagAt, i32(0));
        c.set(input, c.add(input, i32(8 + PAGE_SIZE)));
        c.set(others, c.add(others, i32(1)));
        c.br(again);
      });
      c.brIf(done, c.ne(kind, i32(RAM_FLAG.continue | RAM_FLAG.zero)));
      c.brIf(done, c.load('i32.8u', input, 8));
      c.if(c.eqz(c.and(flag, i32(PAGE_UNTOUCHED))), () => {
        c.memoryFill(host, i32(0), i32(PAGE_SIZE));
        c.store('i32.8', flagAt, i32(0));
      });
      c.set(input, c.add(input, i32(9)));
      c.set(zeros, c.add(zeros, i32(1)));
      c.br(again);
    });
  });
  c.store('i32', cells, zeros);
  c.store('i32', cells, others, 4);
  c.return(input);
}

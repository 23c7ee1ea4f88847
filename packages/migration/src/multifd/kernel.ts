/**
 * The inner loops of multifd as one small WebAssembly module on two memories: the machine's, and one that belongs to a single
 * channel, where packets are put together and taken apart. A copy from one to the other needs no view for each page.
 */
import { PAGE_SIZE, PAGE_UNTOUCHED, type WasmModule, wasmHost } from '@sterna/core';
import { type Code, type FuncRef, i32, type Local, ModuleBuilder } from '@sterna/wasm';
import { forMarkedPages, pageIsZero, swap, writeIsZero } from '../ram/kernel.ts';
import { LIST, WATCHED } from './kernel-instance.ts';

type I = Local<'i32'>;

/** The channel's own memory; the machine's is memory 0. */
const OWN = 1;
const [TO_OWN, FROM_OWN] = [
  { dst: OWN, src: 0 },
  { dst: 0, src: OWN },
];

let compiled: WasmModule | undefined;

/** The kernels, compiled once; threads get the module. */
export function multifdKernelModule(): WasmModule {
  compiled ??= new wasmHost.Module(build());
  return compiled;
}

function build(): Uint8Array<ArrayBuffer> {
  const m = new ModuleBuilder();
  m.importMemory('host', 'memory', { min: 1, max: 65536, shared: true });
  m.importMemory('host', 'own', { min: 1 });
  const isZero = m.function('isZero', ['i32'], ['i32'], writeIsZero);
  const define = (name: string, params: number, body: (c: Code, p: readonly I[]) => void): void => {
    const parameters = Array(params).fill('i32');
    const code = m.function(name, parameters, ['i32'], (c) =>
      body(
        c,
        parameters.map((_, i) => c.param('i32', i)),
      ),
    );
    m.export(name, code);
  };
  define('pick', 8, (c, p) => writePick(c, p, isZero));
  define('gather', 4, writeGather);
  define('offsets', 3, writeOffsets);
  define('readOffsets', 4, writeReadOffsets);
  define('scatter', 6, writeScatter);
  define('clear', 4, writeClear);
  return m.build();
}

function writePick(c: Code, p: readonly I[], isZero: FuncRef): void {
  const [list, map, flags, block, page, pageEnd, most, detect] = p as [I, I, I, I, I, I, I, I];
  const [normal, zero] = [c.local('i32'), c.local('i32')];
  c.set(normal, c.load('i32', list, LIST.normalCount, OWN));
  c.set(zero, c.load('i32', list, LIST.zeroCount, OWN));
  forMarkedPages(c, { map, page, pageEnd }, (done) => {
    c.brIf(done, c.eqz(most));
    c.set(most, c.sub(most, i32(1)));
    c.store('i32.8', c.add(map, page), i32(0));
    const isIt = c.local('i32');
    c.set(isIt, i32(0));
    c.if(detect, () => c.set(isIt, pageIsZero(c, isZero, c.add(flags, page), c.add(block, c.shl(page, i32(12))))));
    c.if(
      isIt,
      () => {
        c.store('i32', c.add(list, c.shl(zero, i32(2))), page, LIST.zero, OWN);
        c.set(zero, c.add(zero, i32(1)));
      },
      () => {
        c.store('i32', c.add(list, c.shl(normal, i32(2))), page, LIST.normal, OWN);
        c.set(normal, c.add(normal, i32(1)));
      },
    );
  });
  c.store('i32', list, normal, LIST.normalCount, OWN);
  c.store('i32', list, zero, LIST.zeroCount, OWN);
  c.return(page);
}

/** A loop over the pages of a list. */
function forList(c: Code, at: I, count: I, body: (page: I) => void): void {
  const end = c.let(c.add(at, c.shl(count, i32(2))));
  c.block((done) => {
    c.loop((again) => {
      c.brIf(done, c.geU(at, end));
      c.scope(() => body(c.let(c.load('i32', at, 0, OWN))));
      c.set(at, c.add(at, i32(4)));
      c.br(again);
    });
  });
}

function writeGather(c: Code, p: readonly I[]): void {
  const [list, count, block, out] = p as [I, I, I, I];
  forList(c, list, count, (page) => {
    c.memoryCopy(out, c.add(block, c.shl(page, i32(12))), i32(PAGE_SIZE), TO_OWN);
    c.set(out, c.add(out, i32(PAGE_SIZE)));
  });
  c.return(out);
}

function writeOffsets(c: Code, p: readonly I[]): void {
  const [list, count, out] = p as [I, I, I];
  forList(c, list, count, (page) => {
    // Blocks are below 4 GiB.
    c.store('i32', out, i32(0), 0, OWN);
    c.store('i32', out, swap(c, c.shl(page, i32(12))), 4, OWN);
    c.set(out, c.add(out, i32(8)));
  });
  c.return(out);
}

function writeReadOffsets(c: Code, p: readonly I[]): void {
  const [at, count, list, pages] = p as [I, I, I, I];
  const read = c.local('i32');
  c.block((done) => {
    c.loop((again) => {
      c.brIf(done, c.geU(read, count));
      c.brIf(done, c.load('i32', at, 0, OWN));
      const offset = c.local('i32');
      c.set(offset, swap(c, c.load('i32', at, 4, OWN)));
      c.brIf(done, c.and(offset, i32(PAGE_SIZE - 1)));
      c.brIf(done, c.geU(c.shrU(offset, i32(12)), pages));
      c.store('i32', list, c.shrU(offset, i32(12)), 0, OWN);
      c.set(at, c.add(at, i32(8)));
      c.set(list, c.add(list, i32(4)));
      c.set(read, c.add(read, i32(1)));
      c.br(again);
    });
  });
  c.return(read);
}

/** Marks a page as written, unless others must hear of it; collects the flags of those. */
function markWritten(c: Code, flagAt: I, watched: I): void {
  const flag = c.let(c.and(c.load('i32.8u', flagAt), i32(WATCHED)));
  c.set(watched, c.or(watched, flag));
  c.if(c.eqz(flag), () => c.store('i32.8', flagAt, i32(0)));
}

function writeScatter(c: Code, p: readonly I[]): void {
  const [list, cursor, block, flags, source, length] = p as [I, I, I, I, I, I];
  const [watched, end, part] = [c.local('i32'), c.local('i32'), c.local('i32')];
  c.set(end, c.add(cursor, length));
  c.block((done) => {
    c.loop((again) => {
      c.brIf(done, c.geU(cursor, end));
      c.scope(() => {
        const page = c.let(c.load('i32', c.add(list, c.shl(c.shrU(cursor, i32(12)), i32(2))), 0, OWN));
        const inside = c.let(c.and(cursor, i32(PAGE_SIZE - 1)));
        c.set(part, c.sub(i32(PAGE_SIZE), inside));
        c.if(c.gtU(part, c.sub(end, cursor)), () => c.set(part, c.sub(end, cursor)));
        c.memoryCopy(c.add(c.add(block, c.shl(page, i32(12))), inside), source, part, FROM_OWN);
        markWritten(c, c.let(c.add(flags, page)), watched);
      });
      c.set(source, c.add(source, part));
      c.set(cursor, c.add(cursor, part));
      c.br(again);
    });
  });
  c.return(watched);
}

/** A page that was never written is zero already. */
function writeClear(c: Code, p: readonly I[]): void {
  const [list, count, block, flags] = p as [I, I, I, I];
  const watched = c.local('i32');
  forList(c, list, count, (page) => {
    const flagAt = c.let(c.add(flags, page));
    c.if(c.eqz(c.and(c.load('i32.8u', flagAt), i32(PAGE_UNTOUCHED))), () => {
      c.memoryFill(c.add(block, c.shl(page, i32(12))), i32(0), i32(PAGE_SIZE));
      markWritten(c, flagAt, watched);
    });
  });
  c.return(watched);
}

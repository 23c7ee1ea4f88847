import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Code, i32, i64, ModuleBuilder, ops, SIMD, type Val, v128pair, Writer } from '../src/index.ts';

/** What all binary integer operations have in common, whatever widths they allow. */
type BinaryOp = (a: Val, b: Val) => Val;

/** Compiles a function without parameters that returns one value and runs it. */
function evaluate(build: (c: Code) => Val): number | bigint {
  const m = new ModuleBuilder();
  const f = m.function('f', [], ['i64'], (c) => {
    const v = build(c);
    c.return(v.type === 'i32' ? c.extS(v as Val<'i32'>) : v);
  });
  m.export('f', f);
  return (new WebAssembly.Instance(new WebAssembly.Module(m.build())).exports['f'] as () => bigint)();
}

describe('Writer', () => {
  it('writes LEB128 that WebAssembly reads back', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n }), (n) => {
        expect(evaluate(() => i64(n))).toBe(n);
        const low = Number(BigInt.asIntN(32, n));
        expect(evaluate(() => i32(low))).toBe(BigInt(low));
      }),
      { numRuns: 200 },
    );
  });
  it('grows', () => {
    const w = new Writer(1);
    for (let i = 0; i < 1000; i++) w.u32(i * 12345);
    expect(w.finish().length).toBe(w.length);
  });
});

describe('constant folding', () => {
  const names = [
    'add',
    'sub',
    'mul',
    'and',
    'or',
    'xor',
    'shl',
    'shrS',
    'shrU',
    'rotl',
    'rotr',
    'divS',
    'divU',
    'remS',
    'remU',
    'eq',
    'ne',
    'ltS',
    'ltU',
    'gtS',
    'gtU',
    'leS',
    'leU',
    'geS',
    'geU',
  ] as const;
  const interesting = fc.oneof(
    fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n }),
    fc.constantFrom(0n, 1n, -1n, 2n, 31n, 32n, 63n, 64n, -(1n << 31n), -(1n << 63n)),
  );
  it('agrees with execution for both widths', () => {
    fc.assert(
      fc.property(fc.constantFrom(...names), interesting, interesting, fc.boolean(), (name, x, y, wide) => {
        const lit = (n: bigint): Val<'i64'> | Val<'i32'> => (wide ? i64(n) : i32(Number(BigInt.asIntN(32, n))));
        const a = lit(x) as Val<'i64'>;
        const b = lit(y) as Val<'i64'>;
        const folded = (ops[name] as BinaryOp)(a, b);
        const run = (): number | bigint =>
          evaluate((c) => {
            const l = c.local(a.type);
            c.set(l, a);
            const r = c.local(a.type);
            c.set(r, b);
            return (c[name] as BinaryOp)(l, r);
          });
        if (!folded.isConst) {
          expect(run).toThrow();
          return;
        }
        expect(evaluate(() => folded)).toBe(run());
      }),
      { numRuns: 500 },
    );
  });
  it('keeps the meaning of identities', () => {
    const c = new ModuleBuilder().function('f', ['i32'], ['i32']);
    const p = c.param('i32', 0);
    expect(c.add(p, 0)).toBe(p);
    expect(c.and(p, -1)).toBe(p);
    expect(c.mul(p, 1)).toBe(p);
    expect(c.and(p, 0).is(0)).toBe(true);
    expect(c.wrap(c.extU(p))).toBe(p);
  });
});

describe('Code', () => {
  it('builds loops, switches, calls and hints', () => {
    const m = new ModuleBuilder();
    const double = m.function('double', ['i32'], ['i32'], (c) => c.return(c.add(c.param('i32', 0), c.param('i32', 0))));
    const f = m.function('f', ['i32'], ['i32']);
    const n = f.param('i32', 0);
    const sum = f.local('i32');
    f.block((out) => {
      f.loop((again) => {
        f.brIf(out, f.eqz(n), false);
        f.switch(f.remU(n, 3), [() => f.set(sum, f.add(sum, 1)), () => f.set(sum, f.add(sum, 10))], () =>
          f.set(sum, f.add(sum, f.call(double, i32(50)))),
        );
        f.set(n, f.sub(n, 1));
        f.br(again);
      });
    });
    f.return(sum);
    m.export('f', f);
    const run = new WebAssembly.Instance(new WebAssembly.Module(m.build())).exports['f'] as (n: number) => number;
    expect(run(6)).toBe(222);
  });
  it('lets a function define others while it is being created', () => {
    const m = new ModuleBuilder();
    const outer = m.define((index) => {
      const inner = m.function('inner', [], ['i32'], (c) => c.return(c.i32(7)));
      const code = new Code(m, index, 'outer', { params: [], results: ['i32'] });
      code.return(code.add(code.call(inner), 1));
      return code;
    });
    m.export('f', outer);
    const run = new WebAssembly.Instance(new WebAssembly.Module(m.build())).exports['f'] as () => number;
    expect(run()).toBe(8);
  });
  it('reuses locals of a finished scope', () => {
    const c = new ModuleBuilder().function('f', [], []);
    const a = c.scope(() => c.let(c.load('i32', 0)));
    const b = c.scope(() => c.let(c.load('i32', 4)));
    expect(b).toBe(a);
  });
  it('calls through a table and imports', () => {
    const m = new ModuleBuilder();
    const log = m.importFunction('env', 'log', ['i32']);
    m.importMemory('env', 'mem', { min: 1, max: 1, shared: true });
    m.table(2);
    const one = m.function('one', ['i32'], ['i32'], (c) => c.return(c.add(c.param('i32', 0), 1)));
    const two = m.function('two', ['i32'], ['i32'], (c) => c.returnCall(one, c.add(c.param('i32', 0), 1)));
    m.elements(0, [one, two]);
    const f = m.function('f', ['i32'], ['i32'], (c) => {
      c.do(log, c.param('i32', 0));
      c.return(c.callIndirect({ params: ['i32'], results: ['i32'] }, c.param('i32', 0), [i32(40)]));
    });
    m.export('f', f);
    const seen: number[] = [];
    const mem = new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true });
    const run = new WebAssembly.Instance(new WebAssembly.Module(m.build()), {
      env: { mem, log: (n: number) => seen.push(n) },
    }).exports['f'] as (n: number) => number;
    expect([run(0), run(1)]).toEqual([41, 42]);
    expect(seen).toEqual([0, 1]);
  });
});

describe('SIMD', () => {
  it('computes with vectors', () => {
    const r = evaluate((c) =>
      c.extractLane('i64x2', c.simd('i32x4.add', v128pair(0x1_0000_0002n, 0n), v128pair(0x10_0000_0020n, 0n)), 0),
    );
    expect(r).toBe(0x11_0000_0022n);
    expect(
      evaluate((c) =>
        c.extractLane(
          'i8x16_u',
          c.shuffle(v128pair(0x0807060504030201n, 0n), v128pair(0n, 0n), [7, ...Array(15).fill(0)]),
          0,
        ),
      ),
    ).toBe(8n);
  });
  it('has an opcode that validates for every name', () => {
    for (const [name, op] of SIMD) {
      const m = new ModuleBuilder();
      m.function('f', [], [], (c) => {
        const vec = (): Val<'v128'> => v128pair(1n, 2n);
        const shape = name.split('.')[0]!;
        const scalar = (): Val =>
          shape === 'i64x2' ? c.i64(1) : shape === 'f32x4' ? c.f32(1) : shape === 'f64x2' ? c.f64(1) : c.i32(1);
        const short = name.split('.')[1]!;
        const shift = /^sh[lr]/.test(short);
        const unary =
          /^(splat|not|abs|neg|popcnt|all_true|any_true|bitmask|ceil|floor|trunc|nearest|sqrt|demote|promote|convert|trunc_sat|extend_|extadd|trunc)/.test(
            short,
          );
        if (short.startsWith('extract_lane')) {
          const ext = short.slice('extract_lane'.length);
          c.drop(c.extractLane(`${shape}${ext}` as 'i8x16_s', vec(), 0));
        } else if (short === 'replace_lane') c.drop(c.replaceLane(shape as 'i8x16', vec(), 0, scalar()));
        else if (op.result === 'i32') c.drop(c.simdTest(name, vec()));
        else if (short === 'splat') c.drop(c.simd(name, scalar()));
        else if (short === 'bitselect') c.drop(c.simd(name, vec(), vec(), vec()));
        else c.drop(unary ? c.simd(name, vec()) : c.simd(name, vec(), shift ? c.i32(1) : vec()));
      });
      expect(WebAssembly.validate(m.build()), name).toBe(true);
    }
  });
});

it('reads, writes, fills and copies in a second memory', () => {
  const m = new ModuleBuilder();
  m.importMemory('host', 'first', { min: 1 });
  m.importMemory('host', 'second', { min: 1 });
  const f = m.function('f', [], ['i32'], (c) => {
    c.store('i32', i32(0), i32(0x11223344));
    c.memoryCopy(i32(8), i32(0), i32(4), { dst: 1, src: 0 });
    c.store('i32.8', i32(8), c.add(c.load('i32.8u', i32(8), 0, 1), i32(1)), 3, 1);
    c.memoryFill(i32(12), i32(0x77), i32(4), 1);
    c.store('v128', i32(16), c.load('v128', i32(0), 8, 1), 0, 0);
    c.memoryCopy(i32(4), i32(8), i32(4), { dst: 0, src: 1 });
    c.return(c.load('i32', i32(4)));
  });
  m.export('f', f);
  const [first, second] = [new WebAssembly.Memory({ initial: 1 }), new WebAssembly.Memory({ initial: 1 })];
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(m.build()), { host: { first, second } });
  expect((exports['f'] as () => number)() >>> 0).toBe(0x45223344);
  expect([...new Uint8Array(second.buffer, 8, 8)]).toEqual([0x44, 0x33, 0x22, 0x45, 0x77, 0x77, 0x77, 0x77]);
  expect([...new Uint8Array(first.buffer, 16, 8)]).toEqual([0x44, 0x33, 0x22, 0x45, 0x77, 0x77, 0x77, 0x77]);
});

describe('custom sections', () => {
  it('come back as they were, and change nothing else', () => {
    const m = new ModuleBuilder();
    m.export(
      'f',
      m.function('f', [], ['i32'], (c) => c.return(c.i32(7))),
    );
    m.custom('one', Uint8Array.of(1, 2, 3));
    m.custom('empty', new Uint8Array());
    const module = new WebAssembly.Module(m.build());
    expect(new Uint8Array(WebAssembly.Module.customSections(module, 'one')[0]!)).toEqual(Uint8Array.of(1, 2, 3));
    expect(WebAssembly.Module.customSections(module, 'empty')[0]!.byteLength).toBe(0);
    expect((new WebAssembly.Instance(module).exports['f'] as () => number)()).toBe(7);
  });
});

import { type WasmMemory, wasmHost } from '@sterna/core';
import { Code, type FuncRef, ModuleBuilder, type Val } from '@sterna/wasm';
import type { Machine } from '../../src/semantics/machine.ts';
import type { Micro } from '../../src/semantics/micro.ts';
import { type CellName, STATE } from '../../src/state/layout.ts';

/** The part of the machine that floating-point microcode uses: cells and calls. */
class MicroMachine extends Code {
  link: (fn: Micro) => FuncRef = () => {
    throw new Error('not linked');
  };

  get(name: CellName, index: number | Val<'i32'> = 0): Val {
    const { type, stride, address } = STATE[name];
    const at = typeof index === 'number' ? this.i32(index * stride) : this.mul(index, stride);
    return type === 'u64' ? this.load('i64', at, address) : this.load('i32', at, address);
  }
  put(name: CellName, value: Val | number, index: number | Val<'i32'> = 0): void {
    const { type, stride, address } = STATE[name];
    const at = typeof index === 'number' ? this.i32(index * stride) : this.mul(index, stride);
    if (type === 'u64') this.store('i64', at, this.arg('i64', value as Val<'i64'>), address);
    else this.store('i32', at, this.arg('i32', value as Val<'i32'>), address);
  }
  functionOf(fn: Micro): FuncRef {
    return this.link(fn);
  }
  invoke(fn: Micro, ...args: Val[]): Val {
    return this.call(this.link(fn), ...args);
  }
}

/** Compiled microcode and its cells. */
export interface Unit {
  call(fn: Micro, ...args: (bigint | number)[]): (bigint | number)[];
  get(name: CellName): number;
  set(name: CellName, value: number): void;
}

/** Prints functions (and what they call) into a module of their own. */
export function compile(...roots: Micro[]): Unit {
  const m = new ModuleBuilder();
  const known = new Map<Micro, MicroMachine>();
  const queue: Micro[] = [];
  const link = (fn: Micro): FuncRef => {
    let f = known.get(fn);
    if (f === undefined) {
      f = m.define((i) => new MicroMachine(m, i, fn.name, { params: fn.params, results: fn.results }));
      f.link = link;
      known.set(fn, f);
      queue.push(fn);
    }
    return f;
  };
  for (const r of roots) m.export(r.name, link(r));
  for (let fn = queue.pop(); fn !== undefined; fn = queue.pop()) {
    const f = known.get(fn)!;
    fn.body(f as unknown as Machine);
    f.unreachable();
  }
  m.memory({ min: 16 });
  m.exportMemory('memory');
  const { exports } = new wasmHost.Instance(new wasmHost.Module(m.build()), {});
  const cells = new Uint32Array((exports['memory'] as WasmMemory).buffer);
  return {
    call(fn, ...args) {
      const r = (exports[fn.name] as (...a: (bigint | number)[]) => unknown)(...args);
      const list = (Array.isArray(r) ? r : [r]) as (bigint | number)[];
      return list.map((x) => (typeof x === 'bigint' ? BigInt.asUintN(64, x) : x));
    },
    get: (name) => cells[STATE[name].address >>> 2]!,
    set: (name, value) => {
      cells[STATE[name].address >>> 2] = value;
    },
  };
}

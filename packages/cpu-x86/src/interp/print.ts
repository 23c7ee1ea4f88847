import { MEMORY_LAYOUT } from '@sterna/core';
import { type FuncRef, type Label, ModuleBuilder, type Val } from '@sterna/wasm';
import type { HandlerSpec } from '../decode/handler-spec.ts';
import type { HandlerTables } from '../decode/handlers.ts';
import type { InstrumentMode } from '../instrument/areas.ts';
import { INSTRUMENT_PAGES } from '../instrument/areas.ts';
import { CONSTANT_TABLES } from '../semantics/constant-tables.ts';
import { definition } from '../semantics/def.ts';
import type { Variant } from '../semantics/machine.ts';
import type { HostFunction, Micro } from '../semantics/micro.ts';
import { isMem } from '../semantics/operand.ts';
import { directHost } from '../semantics/string-run.ts';
import { Leave, Vec } from '../semantics/vectors.ts';
import { CPU_MAP } from '../state/memory-map.ts';
import { updateMode } from '../system/mode.ts';
import { between } from './events.ts';
import { EXPORTED_MICRO } from './exported.ts';
import { evalFlags, fusedCondition } from './flags.ts';
import * as host from './host.ts';
import { InterpMachine, type Linker } from './interp-machine.ts';
import { branchSlow as branchSlowMicro, crossSlow, findTarget } from './lookup.ts';
import { noteWrite } from './physical.ts';
import { Handler, REC } from './records.ts';
import { runRegions } from './region-loop.ts';
import { flushTlb, flushWriteTags } from './tlb.ts';
import { traceEvent } from './trace.ts';

const NO_VARIANT: Variant = { size: 32, addressSize: 0, rep: '', cc: -1, code64: undefined, name: '' };
const HANDLER_TYPE = { params: ['i32'], results: ['i32'] } as const;

/** Prints the interpreter: a module with the dispatcher, one function for each cold handler and the microcode. */
export function printInterpreter(tables: HandlerTables, options: PrintOptions = {}): Uint8Array<ArrayBuffer> {
  return new Printer(tables, options).print();
}

/** Variations of the printed module. */
export interface PrintOptions {
  /** Count executions: a u32 for each handler at CPU_MAP.constants. Tells which definitions deserve `hot`. */
  readonly counters?: boolean;
  /** Counts or traces, in memory 1. */
  readonly instrument?: InstrumentMode;
  /** Custom sections by name. */
  readonly sections?: Readonly<Record<string, Uint8Array>>;
}

class Printer implements Linker {
  readonly #tables: HandlerTables;
  readonly #options: PrintOptions;
  readonly #module = new ModuleBuilder();
  readonly #hosts = new Map<string, FuncRef>();
  readonly #micros = new Map<Micro, InterpMachine>();
  readonly #queue: [Micro, InterpMachine][] = [];

  constructor(tables: HandlerTables, options: PrintOptions) {
    this.#tables = tables;
    this.#options = options;
  }

  get instrument(): InstrumentMode | undefined {
    return this.#options.instrument;
  }

  host(fn: HostFunction): FuncRef {
    const f = this.#hosts.get(fn.name);
    if (f === undefined) throw new Error(`host function ${fn.name} is not listed in host.ts`);
    return f;
  }

  micro(fn: Micro): FuncRef {
    let f = this.#micros.get(fn);
    if (f === undefined) {
      f = this.#module.define(
        (i) => new InterpMachine(this.#module, i, fn.name, fn, 'micro', this, NO_VARIANT, fn.faults),
      );
      this.#micros.set(fn, f);
      this.#queue.push([fn, f]);
    }
    return f;
  }

  print(): Uint8Array<ArrayBuffer> {
    const m = this.#module;
    const pages = Math.ceil(MEMORY_LAYOUT.ram / 65536);
    m.importMemory('env', 'memory', { min: pages, max: 65536, shared: true });
    if (this.instrument !== undefined) m.importMemory('env', 'instrument', { min: INSTRUMENT_PAGES });
    for (const fn of Object.values(host))
      this.#hosts.set(fn.name, m.importFunction('env', fn.name, fn.params, fn.results));
    m.importTable('env', 'table', this.#tables.count);
    for (const { address, bytes } of CONSTANT_TABLES) m.data(address, bytes);
    const run = m.define(
      (i) => new InterpMachine(m, i, 'run', { params: [], results: ['i32'] }, 'main', this, NO_VARIANT),
    );
    m.export('run', run);
    this.#dispatcher(run);
    this.#coldHandlers();
    for (const fn of [updateMode, flushTlb, flushWriteTags, noteWrite, evalFlags, ...EXPORTED_MICRO]) this.micro(fn);
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      const [fn, code] = next;
      code.scope(() => {
        // runs do many accesses at once, which are to be told of one by one
        if (fn === directHost && this.instrument === 'trace') code.return(code.i32(0));
        fn.body(code);
      });
      if (fn.faults) code.return(code.i32(0));
      else if (fn.results.length > 0) code.unreachable();
    }
    // regions call microcode by name
    const names = new Set<string>();
    for (const f of this.#micros.values()) {
      if (names.has(f.name)) throw new Error(`two pieces of microcode are called ${f.name}`);
      names.add(f.name);
      m.export(f.name, f);
    }
    for (const [name, bytes] of Object.entries(this.#options.sections ?? {})) m.custom(name, bytes);
    return m.build();
  }

  #coldHandlers(): void {
    const m = this.#module;
    const slots: FuncRef[] = [];
    const special = (name: string, body: (c: InterpMachine) => void): FuncRef =>
      m.define((i) => {
        const c = new InterpMachine(m, i, name, HANDLER_TYPE, 'handler', this, NO_VARIANT);
        body(c);
        return c;
      });
    slots[Handler.LINK] = special('link', (c) => c.unreachable());
    slots[Handler.CROSS] = special('cross', (c) => {
      c.put('icLeft', c.add(c.get('icLeft'), 1));
      c.return(c.call(this.micro(crossSlow), c.pc));
    });
    slots[Handler.UNDEFINED] = special('undefined', (c) => c.raise(Vec.UD));
    slots[Handler.TOO_LONG] = special('too_long', (c) => c.raise(Vec.GP));
    m.elements(0, slots);
    const first = this.#tables.hotEnd;
    const cold = this.#tables.handlers.filter((h) => h.id >= first);
    m.elements(
      first,
      cold.map((h) => this.#handlerFunction(h)),
    );
  }

  #handlerFunction(spec: HandlerSpec): FuncRef {
    const m = this.#module;
    const code = m.define((i) => new InterpMachine(m, i, spec.key, HANDLER_TYPE, 'handler', this, spec.variant));
    try {
      code.scope(() => definition(spec.name).semantics(code, ...spec.operands));
    } catch (e) {
      throw new Error(`printing ${spec.key}: ${(e as Error).message}`, { cause: e });
    }
    code.return(code.add(code.pc, REC.size));
    return code;
  }

  /** The function `run`: dispatches records until something has to be looked at between instructions. */
  #dispatcher(c: InterpMachine): void {
    const code = c.local('i32');
    const count = c.local('i32');
    const branch = c.local('i32');
    const tlb = c.local('i32');
    const hot = this.#tables.handlers.filter((h) => h.id < this.#tables.hotEnd);
    c.set(code, Leave.REFETCH);
    c.loop((main) => {
      c.set(c.pc, c.call(this.micro(between), code, c.pc));
      c.if(c.eqz(c.pc), () => c.return(c.get('exitReason')), undefined, false);
      c.set(count, c.get('icLeft'));
      c.set(tlb, c.get('tlbBase'));
      const leave = c.openBlock(0x02);
      const again = c.openBlock(0x03);
      /** After a call that returned a record or a Leave code in `branch`. */
      const goOn = (): void => {
        c.set(count, c.get('icLeft'));
        c.if(
          c.geU(branch, 16),
          () => {
            c.set(c.pc, branch);
            c.br(again);
          },
          undefined,
          true,
        );
        c.set(code, branch);
        c.br(leave);
      };
      const fault = c.openBlock(0x02);
      const jumpSlow = c.openBlock(0x02);
      const branchSlow = c.openBlock(0x02);
      c.dispatcher = { again, fault, leave, branchSlow, jumpSlow, code, count, branch, tlb };
      const spent = c.openBlock(0x02);
      c.set(count, c.sub(count, 1));
      c.brIf(spent, c.ltS(count, 0), false);
      if (this.#options.counters) {
        const slot = (): Val<'i32'> => c.shl(c.load('i32.16u', c.pc, REC.handler), 2);
        c.store('i32', slot(), c.add(c.load('i32', slot(), CPU_MAP.constants), 1), CPU_MAP.constants);
      }
      const cold = c.openBlock(0x02);
      const labels: Label[] = [];
      for (const _ of hot) labels.push(c.openBlock(0x02));
      labels.reverse();
      // ids below the first hot handler are special ones
      const link = c.openBlock(0x02);
      const table = Array.from({ length: Handler.first }, (_, id) => (id === Handler.LINK ? link : cold));
      c.brTable(c.load('i32.16u', c.pc, REC.handler), [...table, ...labels], cold);
      c.closeBlock(); // link: not an instruction, so not counted
      c.set(count, c.add(count, 1));
      c.takeBranch(0, c.i32(1));
      for (const spec of hot) {
        c.closeBlock();
        this.#hotHandler(c, spec, again);
      }
      c.closeBlock(); // cold
      this.#executed(c, 0, true);
      c.if(c.geU(c.load('i32.16u', c.pc, REC.handler), this.#tables.count), () => {
        // regions count themselves, and come back at once when it is not enough for them
        c.put('icLeft', c.add(count, 1));
        c.set(branch, c.call(this.micro(runRegions), c.pc, c.i32(this.#tables.count)));
        goOn();
      });
      c.put('icLeft', count);
      c.set(branch, c.callIndirect(HANDLER_TYPE, c.load('i32.16u', c.pc, REC.handler), [c.pc]));
      goOn();
      c.closeBlock(); // spent
      c.set(code, Leave.BUDGET);
      c.put('icLeft', count);
      c.br(leave);
      c.closeBlock(); // branchSlow
      c.put('icLeft', count);
      c.set(branch, c.call(c.functionOf(branchSlowMicro), branch, c.i32(0)));
      goOn();
      c.closeBlock(); // jumpSlow
      c.put('icLeft', count);
      c.set(branch, c.call(c.functionOf(findTarget)));
      goOn();
      c.closeBlock(); // fault
      c.put('icLeft', count);
      c.set(code, Leave.FAULT);
      c.br(leave);
      c.closeBlock(); // again
      c.closeBlock(); // leave
      c.br(main);
    });
    c.unreachable();
  }

  #hotHandler(c: InterpMachine, spec: HandlerSpec, again: Label): void {
    const parts = partsOf(spec);
    parts.forEach((part, i) => {
      if (i > 0) this.#nextOf(c, again, touchesMemory(parts[i - 1]!));
      this.#executed(c, 0);
      c.variant = part.variant;
      c.producer = undefined;
      c.scope(() => {
        definition(part.name).semantics(c, ...part.operands);
        if (part.fused < 0) return;
        if (c.producer === undefined) throw new Error(`${part.key} records no flags`);
        this.#countBranch(c, again);
        this.#executed(c, REC.size);
        c.takeBranch(REC.size, fusedCondition(c, c.producer, part.fused));
      });
    });
    c.variant = NO_VARIANT;
    if (parts[parts.length - 1]!.fused >= 0) return;
    c.set(c.pc, c.add(c.pc, REC.size));
    c.br(again);
  }

  /** Tells that the record `skip` bytes after the present one is executed; `cold`: unless it is none of an instruction. */
  #executed(c: InterpMachine, skip: number, cold = false): void {
    const { instrument } = this;
    if (instrument === undefined) return;
    const record = skip === 0 ? c.pc : c.add(c.pc, skip);
    const tell = (): void => {
      if (instrument === 'trace') c.do(this.micro(traceEvent), record, c.i32(0), c.get('pcPage'));
      else {
        const at = c.let(c.shrU(record, 2));
        c.store('i32', at, c.add(c.load('i32', at, 0, 1), 1), 0, 1);
      }
    };
    if (!cold) c.scope(tell);
    else {
      const handler = c.sub(c.load('i32.16u', c.pc, REC.handler), Handler.first);
      c.if(c.ltU(handler, this.#tables.count - Handler.first), () => c.scope(tell));
    }
  }

  /**
   * Between the parts of a pair: counts the second, or stops before it when there is no budget for it, or when the first has
   * changed the code that follows (then its record is a link).
   */
  #nextOf(c: InterpMachine, again: Label, checkCode: boolean): void {
    c.set(c.pc, c.add(c.pc, REC.size));
    if (checkCode) c.brIf(again, c.eqz(c.load('i32.16u', c.pc, REC.handler)), false);
    c.set(count(c), c.sub(count(c), 1));
    c.if(
      c.ltS(count(c), 0),
      () => {
        c.set(count(c), 0);
        c.br(again);
      },
      undefined,
      false,
    );
  }

  /** Counts the branch of a fused pair, or stops before it. */
  #countBranch(c: InterpMachine, again: Label): void {
    c.set(count(c), c.sub(count(c), 1));
    c.if(
      c.ltS(count(c), 0),
      () => {
        c.set(count(c), 0);
        c.set(c.pc, c.add(c.pc, REC.size));
        c.br(again);
      },
      undefined,
      false,
    );
  }
}

/** The single instructions of a sequence (a comparison with its branch is one). */
function partsOf(s: HandlerSpec): HandlerSpec[] {
  return s.first === undefined || s.second === undefined ? [s] : [...partsOf(s.first), ...partsOf(s.second)];
}

/** Whether an instruction accesses memory, and so may change code or call a device that does. */
function touchesMemory(spec: HandlerSpec): boolean {
  return spec.operands.some(isMem) || spec.name === 'push' || spec.name === 'pop';
}

function count(c: InterpMachine): InterpMachine['pc'] {
  return c.dispatcher!.count;
}

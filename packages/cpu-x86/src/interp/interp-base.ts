import type { FuncRef, Label, Local, Signature, TypeTable, Val, ValType } from '@sterna/wasm';
import type { InstrumentMode } from '../instrument/areas.ts';
import { Machine, type ValOfCell, type Variant } from '../semantics/machine.ts';
import type { HostFunction, Micro } from '../semantics/micro.ts';
import { Leave } from '../semantics/vectors.ts';
import type { CellName } from '../state/layout.ts';
import { CellAccess } from './cell-access.ts';
import type { Producer } from './flags.ts';

/** What the printer of the module offers to the functions in it. */
export interface Linker {
  /** The function of microcode, declared on first use. */
  micro(fn: Micro): FuncRef;
  /** An imported host function. */
  host(fn: HostFunction): FuncRef;
  /** What the module's code tells of the guest's; nothing by default. */
  readonly instrument?: InstrumentMode | undefined;
}

/** Where a piece of code runs: inside the dispatcher, as a handler function, or as microcode. */
export type Context = 'main' | 'handler' | 'micro';

/** Names of the dispatcher that code in it uses. */
export interface Dispatcher {
  readonly again: Label;
  readonly fault: Label;
  readonly leave: Label;
  readonly branchSlow: Label;
  readonly jumpSlow: Label;
  readonly code: Local<'i32'>;
  readonly count: Local<'i32'>;
  readonly branch: Local<'i32'>;
  readonly tlb: Local<'i32'>;
}

/** State cells, ways out and calls: what all code of the interpreter has. */
export abstract class InterpBase extends Machine {
  /** Where the code being written runs. */
  readonly context: Context;

  /** Record of the current instruction. */
  readonly pc: Local<'i32'>;

  /** The variant being written; changes from handler to handler in the dispatcher. */
  variant: Variant;

  /** Set while handlers of the dispatcher are written. */
  dispatcher: Dispatcher | undefined;

  /** Flags recorded by the handler being written. */
  producer: Producer | undefined;

  /** The module being printed. */
  readonly linker: Linker;

  readonly #cells = new CellAccess(this);

  /** Microcode that returns a status. */
  protected readonly mayFault: boolean;

  constructor(
    types: TypeTable,
    index: number,
    name: string,
    type: Signature,
    context: Context,
    linker: Linker,
    variant: Variant,
    faults = false,
  ) {
    super(types, index, name, type, context === 'main' ? 1 << 19 : 256);
    this.context = context;
    this.linker = linker;
    this.variant = variant;
    this.mayFault = faults;
    this.pc = context === 'handler' ? this.param('i32', 0) : context === 'main' ? this.local('i32') : this.i32(0);
  }

  get<N extends CellName>(name: N, index: number | Val<'i32'> = 0): Val<ValOfCell<N>> {
    return this.#cells.get(name, index) as Val<ValOfCell<N>>;
  }

  put<N extends CellName>(name: N, value: Val<ValOfCell<N>> | number, index: number | Val<'i32'> = 0): void {
    this.#cells.put(name, value, index);
  }

  protected fieldOf(at: number): Val<'i32'> {
    return this.load('i32.8u', this.pc, at);
  }

  protected saveCount(): void {
    if (this.context === 'main') this.put('icLeft', this.dispatcher!.count);
  }

  protected reloadCount(): void {
    if (this.context === 'main') this.set(this.dispatcher!.count, this.get('icLeft'));
  }

  raise(vector: number, error: Val<'i32'> | number = 0): void {
    this.put('excVector', vector);
    this.put('excError', error);
    this.leaveWith(Leave.FAULT);
  }

  once(_key: string, body: () => void): void {
    body();
  }

  raiseIf(cond: Val<'i32'>, vector: number, error: Val<'i32'> | number = 0): void {
    this.if(cond, () => this.raise(vector, error), undefined, false);
  }

  protected faultIf(cond: Val<'i32'>): void {
    if (this.context === 'main') this.brIf(this.dispatcher!.fault, cond, false);
    else this.if(cond, () => this.leaveWith(Leave.FAULT), undefined, false);
  }

  protected leaveWith(code: number): void {
    if (this.context === 'main') {
      if (code === Leave.FAULT) {
        this.br(this.dispatcher!.fault);
        return;
      }
      this.set(this.dispatcher!.code, code);
      this.br(this.dispatcher!.leave);
    } else if (this.context === 'handler') this.return(this.i32(code));
    else {
      if (!this.mayFault || code !== Leave.FAULT) throw new Error(`microcode ${this.name} must not leave this way`);
      this.return(this.i32(1));
    }
  }

  protected needRecord(): void {
    if (this.context === 'micro') throw new Error(`microcode ${this.name} has no instruction`);
  }

  functionOf(fn: Micro): FuncRef {
    return this.linker.micro(fn);
  }

  invoke<T extends ValType = 'i32'>(fn: Micro, ...args: Val[]): Val<T> {
    const f = this.linker.micro(fn);
    if (fn.faults) {
      this.saveCount();
      const status = this.let(this.call(f, ...args));
      this.reloadCount();
      this.faultIf(status);
      return status as unknown as Val<T>;
    }
    if (fn.results.length !== 1) {
      this.do(f, ...args);
      return this.i32(0) as unknown as Val<T>;
    }
    return this.call<T>(f, ...args);
  }

  hostCall(fn: HostFunction, ...args: Val<'i32'>[]): Val<'i32'> {
    const f = this.linker.host(fn);
    this.saveCount();
    let result = this.i32(0);
    if (fn.results.length === 0) this.do(f, ...args);
    else result = this.let(this.call(f, ...args));
    this.reloadCount();
    return result;
  }

  inLongMode(): Val<'i32'> {
    if (this.variant.code64 !== undefined) return this.i32(this.variant.code64 ? 1 : 0);
    return this.eq(this.and(this.get('modeKey'), 3), 2);
  }

  cpl(): Val<'i32'> {
    return this.get('cpl');
  }
}

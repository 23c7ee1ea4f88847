import {
  type Arg,
  type FuncRef,
  type LoadKind,
  ModuleBuilder,
  type TypeOfKind,
  type Val,
  type ValType,
} from '@sterna/wasm';
import type { HandlerSpec } from '../decode/handler-spec.ts';
import { probeWriteRange } from '../interp/access.ts';
import { linearAny } from '../interp/address.ts';
import { type Context, InterpMachine, type Linker } from '../interp/interp-machine.ts';
import { REC } from '../interp/records.ts';
import { translate } from '../interp/translate.ts';
import { definition } from '../semantics/def.ts';
import type { Micro, ValOfCell, Variant } from '../semantics/machine.ts';
import type { CellName } from '../state/layout.ts';
import type { Effects } from './effects.ts';
import { isCachedAddress, NotInlinable } from './region-base.ts';
import { type Masks, RegionMachine } from './region-machine.ts';
import type { File } from './region-registers.ts';

const FIELD_BYTES = { reg1: 0xe0, reg2: 0xf0, index: 0xd0 } as const;

/** Microcode with accesses that regions know to be harmless. */
const SAFE: ReadonlySet<Micro> = new Set([translate, probeWriteRange, linearAny]);
const HANDLER_TYPE = { params: ['i32'], results: ['i32'] } as const;
const NO_VARIANT: Variant = { size: 32, addressSize: 0, rep: '', cc: -1, code64: undefined, name: '' };
/** Cells that regions keep elsewhere or that say where the interpreter is. */
const CACHED = new Set(['regs', 'xmm', 'ccA', 'ccB', 'ccRes', 'ccKind', 'icLeft', 'icRest', 'rip', 'excVector']);
const FLAGS = new Set(['ccA', 'ccB', 'ccRes', 'ccKind']);
/** Cells that a region takes to be constant. */
const MODE = new Set([
  'modeKey',
  'flatSegments',
  'tlbBase',
  'tlbData',
  'tlbArea',
  'cpl',
  'segEff',
  'cr0',
  'cr4',
  'stackMask',
]);

/** What code of the interpreter uses beside its arguments. */
interface Uses {
  readonly cached: boolean;
  readonly mode: boolean;
  readonly host: boolean;
  /** It writes the lazy flags. */
  readonly flags: boolean;
}

const NOTHING: Uses = { cached: false, mode: false, host: false, flags: false };

/** Prints code of the interpreter to nowhere and notes which cells it uses, with all microcode it calls. */
class Recorder extends InterpMachine {
  cached = false;
  mode = false;
  host = false;
  flags = false;

  constructor(
    name: string,
    type: { params: readonly ValType[]; results: readonly ValType[] },
    context: Context,
    variant: Variant,
    faults: boolean,
    usesOf: (fn: Micro) => Uses,
  ) {
    const linker: Linker = {
      micro: (fn) => {
        this.#add(usesOf(fn));
        return refOf(fn);
      },
      host: (fn) => {
        this.host = true;
        return { index: 0, name: fn.name, type: fn };
      },
    };
    super(new ModuleBuilder(), 0, name, type, context, linker, variant, faults);
  }

  #add(u: Uses): void {
    this.cached ||= u.cached;
    this.mode ||= u.mode;
    this.host ||= u.host;
    this.flags ||= u.flags;
  }

  override get<N extends CellName>(name: N, index: number | Val<'i32'> = 0): Val<ValOfCell<N>> {
    this.cached ||= CACHED.has(name);
    return super.get(name, index);
  }

  override put<N extends CellName>(name: N, value: Val<ValOfCell<N>> | number, index: number | Val<'i32'> = 0): void {
    this.cached ||= CACHED.has(name);
    this.mode ||= MODE.has(name);
    this.flags ||= FLAGS.has(name);
    super.put(name, value, index);
  }

  override load<K extends LoadKind>(kind: K, addr: Arg<'i32'>, offset = 0): Val<TypeOfKind<K>> {
    this.cached ||= isCachedAddress(offset);
    return super.load(kind, addr, offset);
  }
}

/** Tries definitions to see what they do. */
export class EffectsLearner {
  readonly #memory = new ArrayBuffer(64);
  readonly #uses = new Map<Micro, Uses>();
  readonly #code64: boolean;
  readonly #hotEnd: number;

  /** @param hotEnd first handler that has a function of its own */
  constructor(code64: boolean, hotEnd: number) {
    this.#code64 = code64;
    this.#hotEnd = hotEnd;
    const bytes = new Uint8Array(this.#memory);
    bytes[REC.reg1] = FIELD_BYTES.reg1;
    bytes[REC.reg2] = FIELD_BYTES.reg2;
    bytes[REC.index] = FIELD_BYTES.index;
    new DataView(this.#memory).setUint16(REC.pos, 0x3000, true);
  }

  /** Effects of a handler with such an immediate. */
  learn(spec: HandlerSpec, imm: number): Effects {
    const view = new DataView(this.#memory);
    view.setInt32(REC.imm, imm, true);
    view.setInt32(REC.disp, imm, true);
    const m = new Probe(this.#code64, this.#memory, (fn) => this.#check(fn));
    try {
      m.instruction({ rec: 0, page: 0, spec, unsure: [0, 0], unsureFlags: false });
      return m.effects();
    } catch (e) {
      if (!(e instanceof NotInlinable)) throw new Error(`trying ${spec.key}: ${(e as Error).message}`, { cause: e });
      if (spec.id < this.#hotEnd) return { ...OPAQUE, way: 'stop' };
      const { mode, flags } = this.#recorded(spec);
      return { ...OPAQUE, way: 'call', changesMode: mode, keepsFlags: !flags };
    }
  }

  #recorded(spec: HandlerSpec): Uses {
    const m = new Recorder(spec.name, HANDLER_TYPE, 'handler', spec.variant, false, (fn) => this.#usesOf(fn));
    m.scope(() => definition(spec.name).semantics(m, ...spec.operands));
    return m;
  }

  /** @throws NotInlinable when microcode needs what regions keep in locals */
  #check(fn: Micro): void {
    if (SAFE.has(fn)) return;
    const u = this.#usesOf(fn);
    if (u.cached || u.host || u.mode) throw new NotInlinable(`${fn.name} uses ${u.host ? 'the host' : 'cached cells'}`);
  }

  #usesOf(fn: Micro): Uses {
    let u = this.#uses.get(fn);
    if (u === undefined) {
      this.#uses.set(fn, NOTHING);
      const m = new Recorder(fn.name, fn, 'micro', NO_VARIANT, fn.faults, (inner) =>
        SAFE.has(inner) ? NOTHING : this.#usesOf(inner),
      );
      m.scope(() => fn.body(m));
      u = { cached: m.cached, mode: m.mode, host: m.host, flags: m.flags };
      this.#uses.set(fn, u);
    }
    return u;
  }
}

const OPAQUE: Omit<Effects, 'way'> = {
  reads: [0, 0],
  writes: [0, 0],
  unsure: [0, 0],
  readsFlags: true,
  readsCarry: false,
  keepsCarry: false,
  setsFlags: false,
  changesFlags: false,
  unsureFlags: false,
  leaves: true,
  transfer: 'none',
  changesMode: false,
  keepsFlags: false,
};

function refOf(fn: Micro): FuncRef {
  return { index: 0, name: fn.name, type: fn };
}

/** A region of one instruction that nobody runs. */
class Probe extends RegionMachine {
  readonly #reads: Masks = [0, 0];
  readonly #writes: Masks = [0, 0];
  readonly #unsure: Masks = [0, 0];
  readonly #check: (fn: Micro) => void;
  #readsFlags = false;
  #readsCarry = false;
  #keepsCarry = false;
  #setsFlags = false;
  #changesFlags = false;
  #unsureFlags = false;
  #leaves = false;

  constructor(code64: boolean, memory: ArrayBufferLike, check: (fn: Micro) => void) {
    super(new ModuleBuilder(), 'probe', { code64 }, { micro: refOf }, memory);
    this.#check = check;
    this.flags = { at: 'locals', carryKnown: true, complete: true };
  }

  effects(): Effects {
    const t = this.transfer;
    const transfer =
      t === undefined ? 'none' : t.to === 'address' ? 'address' : t.cond === undefined ? 'jump' : 'branch';
    return {
      way: 'inline',
      reads: this.#reads,
      writes: this.#writes,
      unsure: this.#unsure,
      readsFlags: this.#readsFlags,
      readsCarry: this.#readsCarry,
      keepsCarry: this.#keepsCarry,
      setsFlags: this.#setsFlags,
      changesFlags: this.#changesFlags,
      unsureFlags: this.#unsureFlags,
      leaves: this.#leaves,
      transfer,
      changesMode: false,
      keepsFlags: false,
    };
  }

  /** What registers were read as. In a region it is the register's own local. */
  readonly #read = new Set<Val>();

  protected override readSlot(file: File, reg: number): Val {
    const v = super.readSlot(file, reg);
    this.#read.add(v);
    return v;
  }

  override set<T extends ValType>(target: Val<T>, value: Arg<T>): void {
    if (target.isConst || this.#read.has(target)) throw new Error('assigns what it was given');
    super.set(target, value);
  }

  protected override note(file: File, reg: number, write: boolean): void {
    (write ? this.#writes : this.#reads)[file] |= 1 << reg;
    if (write && !this.certain) this.#unsure[file] |= 1 << reg;
  }

  protected override noteFlags(what: 'carry' | 'read' | 'write' | 'change' | 'keep'): void {
    if (this.#setsFlags && this.certain) return;
    if (what === 'keep') this.#keepsCarry = true;
    else if (what === 'carry') this.#readsCarry = true;
    else if (what === 'read') this.#readsFlags = true;
    else if (!this.certain) this.#unsureFlags = true;
    else if (what === 'write') this.#setsFlags = true;
    else this.#changesFlags = true;
  }

  override leave(): void {
    if (this.certain) throw new NotInlinable('always leaves');
    this.#leaves = true;
  }

  override once(): void {}

  override invoke<T extends ValType = 'i32'>(fn: Micro, ...args: Val[]): Val<T> {
    if (fn.inline !== true) this.#check(fn);
    return super.invoke<T>(fn, ...args);
  }
}

import type { Local, Val } from '@sterna/wasm';
import { evalCarry, evalCond, evalFlags } from '../interp/flags.ts';
import type { FlagKind, Int } from '../semantics/machine.ts';
import type { Bits } from '../semantics/operand.ts';
import { Flag } from '../semantics/vectors.ts';
import { allFlags, carryOf, conditionOf, type FlagValue, fromCells, lazyCells, partsOf } from './flag-value.ts';
import { RegionOperands } from './region-operands.ts';

/**
 * Where the flags are: in the cells, in the flag locals (`carryKnown`: CF also by itself; not `complete`: CF only by itself), as a value that nobody has
 * computed yet, or nowhere because nobody will ask.
 */
export type FlagState =
  | { readonly at: 'cells' }
  | { readonly at: 'locals'; readonly carryKnown: boolean; readonly complete: boolean }
  | { readonly at: 'value'; readonly value: FlagValue; readonly inLocals: boolean }
  | { readonly at: 'nowhere' };

const CELLS: FlagState = { at: 'cells' };

/** Kind in the flag locals that stands for "the cells are current". */
const IN_CELLS = -1;

/** The lazy flag cells as locals, and CF by itself where a block wants it. */
interface FlagLocals {
  readonly kind: Local<'i32'>;
  readonly a: Local<'i64'>;
  readonly b: Local<'i64'>;
  readonly res: Local<'i64'>;
  readonly carry: Local<'i32'>;
}

/** Flags by what produced them, computed only where they are used. */
export abstract class RegionFlags extends RegionOperands {
  flags: FlagState = CELLS;
  /** Whether somebody may see the flags after the instruction being written. */
  flagsLive = true;
  #locals: FlagLocals | undefined;

  /**
   * Told of accesses to the flags: CF alone asked for, all asked for, all written, some written, and CF kept by an operation
   * that writes the others.
   */
  protected noteFlags(_what: 'carry' | 'read' | 'write' | 'change' | 'keep'): void {}

  get #flagLocals(): FlagLocals {
    this.#locals ??= {
      kind: this.ownLocal('i32'),
      a: this.ownLocal('i64'),
      b: this.ownLocal('i64'),
      res: this.ownLocal('i64'),
      carry: this.ownLocal('i32'),
    };
    return this.#locals;
  }

  /** Whether any flag local exists, which the epilogue must then look at. */
  protected get hasFlagLocals(): boolean {
    return this.#locals !== undefined;
  }

  /** Expressions that the flags need. */
  protected flagParts(): readonly Val[] {
    return this.flags.at === 'value' && !this.flags.inLocals ? partsOf(this.flags.value) : [];
  }

  #record(value: FlagValue): void {
    if (!this.certain) this.#setLocals(value);
    else this.flags = this.flagsLive ? { at: 'value', value, inLocals: false } : { at: 'nowhere' };
  }

  #simple<V extends Val>(v: V): V {
    return (v.isSimple ? v : this.let(v)) as V;
  }

  setFlags(kind: FlagKind, bits: Bits, a: Int, b: Int, result: Int, carry?: Val<'i32'>): void {
    const keeps = kind === 'inc' || kind === 'dec';
    if (keeps) this.noteFlags('keep');
    this.noteFlags('write');
    if (!this.flagsLive && this.certain) {
      this.flags = { at: 'nowhere' };
      return;
    }
    const value: FlagValue = {
      form: 'operation',
      kind,
      bits,
      a: this.#simple(a),
      b: this.#simple(b),
      result: this.#simple(result),
      ...(carry === undefined ? {} : { carry: this.#simple(carry) }),
      ...(keeps ? { kept: this.#simple(this.cf()) } : {}),
    };
    this.#record(value);
  }

  setFlagsResult(bits: Bits, result: Int, cfOfAf: Val<'i32'>): void {
    this.noteFlags('write');
    this.#record({ form: 'given', bits, result: this.#simple(result), flags: this.#simple(cfOfAf) });
  }

  setArithFlags(value: Val<'i32'>): void {
    this.noteFlags('write');
    const flags = this.#simple(value);
    this.#record({ form: 'all', flags: () => flags, parts: [flags] });
  }

  setCarry(value: Val<'i32'>): void {
    this.noteFlags('change');
    const carry = this.#simple(value);
    this.#change(~Flag.CF, () => carry, [carry], carry);
  }

  override setCarryOverflow(cf: Val<'i32'>, of: Val<'i32'>): void {
    this.noteFlags('change');
    const c = this.#simple(cf);
    const o = this.#simple(of);
    this.#change(~(Flag.CF | Flag.OF), () => this.or(c, this.shl(o, 11)), [c, o], c);
  }

  /** Replaces some of the present flags. */
  #change(keep: number, bits: () => Val<'i32'>, parts: readonly Val[], carry: Val<'i32'>): void {
    const before = this.flags;
    if (!this.certain) {
      const flags = this.let(this.or(this.and(this.#all(before), keep), bits()));
      this.#setLocals({ form: 'all', flags: () => flags, parts: [flags] });
      return;
    }
    this.#record({
      form: 'all',
      flags: () => this.or(this.and(this.#all(before), keep), bits()),
      parts: [...parts, ...this.flagParts()],
      carry,
    });
  }

  cf(): Val<'i32'> {
    this.noteFlags('carry');
    return this.#carry(this.flags);
  }

  #carry(state: FlagState): Val<'i32'> {
    if (state.at === 'value') {
      const known = carryOf(this, state.value);
      if (known !== undefined) return this.let(known);
    }
    if (state.at === 'locals' && state.carryKnown) return this.let(this.#flagLocals.carry);
    this.#storeState(state);
    return this.let(this.call(this.linker.micro(evalCarry)));
  }

  arithFlags(): Val<'i32'> {
    this.noteFlags('read');
    return this.let(this.#all(this.flags));
  }

  #all(state: FlagState): Val<'i32'> {
    const known = state.at === 'value' ? allFlags(this, state.value) : undefined;
    if (known !== undefined) return known;
    this.#storeState(state);
    return this.call(this.linker.micro(evalFlags));
  }

  cond(cc: number): Val<'i32'> {
    this.noteFlags(cc >> 1 === 1 ? 'carry' : 'read');
    const state = this.flags;
    if (state.at === 'value') {
      const known = conditionOf(this, state.value, cc);
      if (known !== undefined) return this.let(known);
    }
    if (cc >> 1 === 1 && state.at === 'locals' && state.carryKnown) {
      const c = this.#flagLocals.carry;
      return this.let(cc & 1 ? this.eqz(c) : c);
    }
    this.#storeState(state);
    return this.let(this.call(this.linker.micro(evalCond), this.i32(cc)));
  }

  /** Statement: puts the flags into the cells; they stay where they are, too. */
  storeFlags(): void {
    this.#storeState(this.flags);
  }

  #storeState(state: FlagState): void {
    if (state.at === 'value') {
      const c = lazyCells(this, state.value);
      // the value may be made from what the cells hold: the first cell is computed before any is written
      this.putCell('ccA', c.a);
      this.putCell('ccB', c.b);
      this.putCell('ccRes', c.res);
      this.putCell('ccKind', c.kind);
    } else if (state.at === 'locals') this.storeLocals();
  }

  /** Statement: puts the flag locals into the cells unless the cells are current. */
  protected storeLocals(): void {
    const f = this.#flagLocals;
    this.if(this.geS(f.kind, 0), () => {
      this.putCell('ccKind', f.kind);
      this.putCell('ccA', f.a);
      this.putCell('ccB', f.b);
      this.putCell('ccRes', f.res);
    });
  }

  #setLocals(value: FlagValue): number | undefined {
    const f = this.#flagLocals;
    const c = lazyCells(this, value);
    this.set(f.a, c.a);
    this.set(f.b, c.b);
    this.set(f.res, c.res);
    this.set(f.kind, c.kind);
    return c.fixedKind;
  }

  /** Statement: the flag locals hold the flags (or say that the cells do). The state is not changed. */
  protected copyToLocals(): void {
    const state = this.flags;
    if (state.at === 'cells') this.set(this.#flagLocals.kind, IN_CELLS);
    else if (state.at === 'value' && !state.inLocals) this.#setLocals(state.value);
  }

  /**
   * Statement at the end of a block whose successors may ask for the flags: puts them into the flag locals, and CF by itself
   * when asked for. Returns the state for a successor that has no other predecessor.
   */
  settleFlags(live: boolean, carryLive: boolean): FlagState {
    if (!live && !carryLive) return { at: 'nowhere' };
    const state = this.flags;
    const carry = carryLive ? this.let(this.#carry(state)) : undefined;
    if (!live) {
      this.set(this.#flagLocals.carry, carry!);
      return { at: 'locals', carryKnown: true, complete: false };
    }
    let after: FlagState = state;
    if (state.at === 'cells') this.set(this.#flagLocals.kind, IN_CELLS);
    else if (state.at === 'value' && !state.inLocals) {
      const f = this.#flagLocals;
      if (state.value.form === 'all') {
        // exits of this block ask for it again, and it may be made from the flag locals that are set here
        const flags = this.let(state.value.flags());
        state.value.flags = () => flags;
      }
      const kind = this.#setLocals(state.value);
      const value = kind === undefined ? undefined : fromCells(kind, f.a, f.b, f.res);
      after =
        value === undefined
          ? { at: 'locals', carryKnown: carryLive, complete: true }
          : { at: 'value', value, inLocals: true };
    } else if (state.at === 'locals' && carryLive) after = { at: 'locals', carryKnown: true, complete: true };
    if (carry !== undefined) this.set(this.#flagLocals.carry, carry);
    return after;
  }

  /** Before an instruction that writes the flags on some paths only: they are in the locals, which it changes. */
  protected unsettleFlags(): void {
    const state = this.flags;
    if (state.at === 'locals' && !state.complete) {
      // nobody will ask for the others
      const carry = this.let(this.#flagLocals.carry);
      this.#setLocals({ form: 'all', flags: () => carry, parts: [carry] });
    } else this.copyToLocals();
    this.flags = { at: 'locals', carryKnown: false, complete: true };
  }
}

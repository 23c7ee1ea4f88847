import type { Label, Local, Val } from '@sterna/wasm';
import type { HandlerSpec } from '../decode/handler-spec.ts';
import { find } from '../interp/lookup.ts';
import { REC } from '../interp/records.ts';
import { definition } from '../semantics/def.ts';
import type { Operand } from '../semantics/operand.ts';
import { cellAddress } from '../state/layout.ts';
import { CPU_MAP, JUMP_CACHE } from '../state/memory-map.ts';
import { NotInlinable } from './region-base.ts';
import { RegionExit } from './region-exit.ts';
import { RegionFlags } from './region-flags.ts';
import { File } from './region-registers.ts';
import { regionCall } from './slow-paths.ts';

/** How the instruction just written goes on, when not with the next one. */
export type Transfer =
  | { readonly to: 'offset'; readonly cond: Val<'i32'> | undefined }
  | { readonly to: 'address'; readonly target: Val<'i64'> };

/** Bits of registers by file. */
export type Masks = [gpr: number, xmm: number];

const ALL: Masks = [0xffff, 0xffff];

/** One instruction of a region. */
export interface Step {
  readonly rec: number;
  /** Page, counted from the entry's. */
  readonly page: number;
  readonly spec: HandlerSpec;
  /** Registers that it writes on some paths only. */
  readonly unsure: Masks;
  /** It writes the flags on some paths only. */
  readonly unsureFlags: boolean;
}

/** Writes a region: instructions, and the ways out of it. */
export class RegionMachine extends RegionFlags {
  /** Set by a transferring instruction. */
  transfer: Transfer | undefined;
  /** Registers whose locals are newer than the cells, at the place being written. */
  dirty: Masks = [0, 0];
  /** Instructions counted in `ic` that have not been done: the one being written and those after it in the block. */
  left = 0;
  /** Whether exits are counted by reason. */
  counters = false;
  /** Where it is counted that the region was left before the instruction being written; 0 when nobody counts. */
  early = 0;
  /** Whether exits must say which page they lead to. */
  manyPages = false;
  /** Where all cold exits join. */
  epilogue: Label | undefined;
  /** Locals that flags or a transfer still need. */
  held: Val[] = [];
  /** Checks to be done at the region's entry. */
  readonly entryChecks = new Map<string, () => void>();
  #inEntry: (() => void) | undefined;
  #exitRecord: Local<'i32'> | undefined;
  #exitCount: Local<'i32'> | undefined;
  #exitPage: Local<'i64'> | undefined;
  #exitEarly: Local<'i32'> | undefined;

  protected override note(file: File, reg: number, write: boolean): void {
    if (write) this.dirty[file] |= 1 << reg;
  }

  once(key: string, body: () => void): void {
    if (!this.entryChecks.has(key)) this.entryChecks.set(key, body);
  }

  /** Writes the entry checks; `fail` writes what happens when one does not pass. */
  writeEntryChecks(fail: () => void): void {
    this.#inEntry = fail;
    for (const body of this.entryChecks.values()) this.scope(body);
    this.#inEntry = undefined;
  }

  // Instructions

  /** Writes one instruction. Returns how it transfers, if it does. */
  instruction(step: Step): Transfer | undefined {
    this.beginInstruction();
    this.variant = step.spec.variant;
    this.rec = step.rec;
    this.page = step.page;
    this.transfer = undefined;
    const locals = this.collect(() => {
      this.settle(new Set(this.flagParts()), step.unsure);
      if (step.unsureFlags && this.flagsLive) this.unsettleFlags();
      definition(step.spec.name).semantics(this, ...step.spec.operands);
    });
    const keep = new Set<number>();
    for (const v of this.flagParts()) if (v.isSimple && !v.isConst) keep.add(v.lo);
    const t = this.transfer as Transfer | undefined;
    if (t?.to === 'offset' && t.cond !== undefined) keep.add(t.cond.lo);
    if (t?.to === 'address') keep.add(t.target.lo);
    const all = [...this.held, ...locals];
    this.held = [];
    for (const v of all) {
      if (keep.has(v.lo)) this.held.push(v);
      else this.release(v);
    }
    return t;
  }

  /** Ends the instructions of a block: registers are in their own locals. */
  endBlock(): void {
    this.joinLanes();
  }

  /** Starts a block: nothing handed out before is used any more. */
  beginBlock(): void {
    this.settle(new Set(), [0, 0]);
    this.forgetAddresses();
  }

  /**
   * Executes an instruction by its interpreter function. `record` is the instruction's, or one that does the same: where it
   * faults the interpreter goes on there, so it must not lead back here. `reload` names the registers to be read again, and
   * `keepsFlags` says that the flags are not written.
   */
  callHandler(step: Step, record: number, slot: number, leaves: boolean, reload: Masks, keepsFlags: boolean): void {
    this.rec = step.rec;
    this.page = step.page;
    // what the flags are made of must outlive the registers' locals
    if (keepsFlags) this.held.push(...this.collect(() => this.settle(new Set(this.flagParts()), ALL)));
    else this.settle(new Set(), [0, 0]);
    this.joinLanes();
    this.spill(this.dirty);
    this.storeFlags();
    if (this.manyPages) this.putCell('pcPage', this.pageHere());
    this.scope(() => {
      const after = this.add(this.ic, this.left - 1);
      const result = this.let(this.call(this.linker.micro(regionCall), this.i32(record), this.i32(slot), after));
      if (leaves) {
        this.countExit(RegionExit.CALL);
        // 0 says that the instruction after it comes next
        this.return(this.select(result, result, this.i32(record + REC.size)));
        return;
      }
      this.if(result, () => this.#returnOf(result), undefined, false);
    });
    this.dirty = [0, 0];
    this.forgetAddresses();
    if (!keepsFlags) this.flags = { at: 'cells' };
    this.reloadCells(true);
    this.reload(reload);
    this.settle(new Set(this.flagParts()), [0, 0]);
  }

  #countEarly(at: Val<'i32'>): void {
    this.store('i32', at, this.add(this.load('i32', at, 0, 1), 1), 0, 1);
  }

  #returnOf(result: Val<'i32'>): void {
    this.countExit(RegionExit.CALL);
    // the instruction itself was executed
    if (this.early !== 0 && this.left > 1) this.#countEarly(this.i32(this.early + 4));
    this.return(result);
  }

  /** Statement: counts one way out, when that is wanted. */
  countExit(reason: number): void {
    if (!this.counters) return;
    const at = cellAddress('regionExits', reason);
    this.store('i32', 0, this.add(this.load('i32', 0, at), 1), at);
  }

  // Ways out

  leave(): void {
    if (this.#inEntry !== undefined) {
      this.#inEntry();
      return;
    }
    if (this.flags.at === 'nowhere') throw new Error(`${this.variant.name} leaves where no flags are known`);
    this.#exitRecord ??= this.ownLocal('i32');
    this.#exitCount ??= this.ownLocal('i32');
    this.set(this.#exitRecord, this.i32(this.rec));
    this.set(this.#exitCount, this.i32(this.left));
    if (this.early !== 0) {
      this.#exitEarly ??= this.ownLocal('i32');
      this.set(this.#exitEarly, this.i32(this.early));
    }
    if (this.manyPages) {
      this.#exitPage ??= this.ownLocal('i64');
      this.set(this.#exitPage, this.pageHere());
    }
    this.joinLanesHere();
    this.copyToLocals();
    this.br(this.epilogue!);
  }

  /** Writes what all cold exits share, after the block that `epilogue` ends. Does nothing when there is none. */
  writeEpilogue(written: Masks, entry: number, shadow: number): void {
    if (this.#exitRecord === undefined) return;
    this.countExit(RegionExit.COLD);
    if (this.#exitEarly !== undefined) this.#countEarly(this.#exitEarly);
    this.spill(written);
    if (this.hasFlagLocals) this.storeLocals();
    this.putCell('icLeft', this.add(this.ic, this.#exitCount!));
    if (this.manyPages) this.putCell('pcPage', this.#exitPage!);
    // the entry's own record would lead back here
    const record = this.#exitRecord;
    this.return(this.select(this.eq(record, entry), this.i32(shadow), record));
  }

  /** Writes registers back to their cells. */
  spill([gpr, xmm]: Masks): void {
    for (let r = 0; r < 16; r++) {
      if ((gpr >>> r) & 1) this.store('i64', 0, this.registerLocal(File.gpr, r) as Val<'i64'>, cellAddress('regs', r));
      if ((xmm >>> r) & 1) this.store('v128', 0, this.registerLocal(File.xmm, r) as Val<'v128'>, cellAddress('xmm', r));
    }
  }

  /** Reads registers from their cells. */
  reload([gpr, xmm]: Masks): void {
    this.reloadCells(false);
    for (let r = 0; r < 16; r++) {
      if ((gpr >>> r) & 1) this.set(this.registerLocal(File.gpr, r), this.cell('regs', r) as Val);
      if ((xmm >>> r) & 1) this.set(this.registerLocal(File.xmm, r), this.cell('xmm', r) as Val);
    }
  }

  /** Leaves with everything done so far, going on at a record in a page. */
  exitTo(record: number, page: number): void {
    this.#finish(page);
    this.return(this.i32(record));
  }

  #finish(page: number | undefined): void {
    this.spill(this.dirty);
    this.storeFlags();
    this.putCell('icLeft', this.ic);
    if (this.manyPages && page !== undefined) this.putCell('pcPage', this.linearOf(0, page));
  }

  /** Leaves to an address, found by the jump cache. */
  exitToAddress(target: Val<'i64'>): void {
    this.#finish(undefined);
    this.scope(() => {
      const t = target.isSimple ? target : this.let(target);
      const slot = this.local('i32');
      this.set(slot, this.wrap(t));
      this.set(slot, this.shl(this.and(this.xor(slot, this.shrU(slot, 12)), JUMP_CACHE.entries - 1), 4));
      const hit = this.and(
        this.eq(this.load('i64', slot, CPU_MAP.jumpCache), t),
        this.eq(this.load('i32', slot, CPU_MAP.jumpCache + 8), this.cell('jcKey')),
      );
      this.if(
        hit,
        () => {
          this.putCell('pcPage', this.and(t, -4096));
          this.return(this.load('i32', slot, CPU_MAP.jumpCache + 12));
        },
        undefined,
        true,
      );
      this.putCell('rip', t);
      this.return(this.call(this.linker.micro(find)));
    });
  }

  // Transfers

  relativeTarget(op: Operand): Val<'i64'> {
    if (op.bits === 16) throw new NotInlinable('16-bit branch');
    return this.linearOf(this.view.getInt32(this.rec + REC.imm, true), this.page);
  }

  jumpRelative(op: Operand): void {
    this.#branch(op, undefined);
  }

  jumpRelativeIf(op: Operand, cond: Val<'i32'>): void {
    this.#branch(op, cond.isSimple ? cond : this.let(cond));
  }

  #branch(op: Operand, cond: Val<'i32'> | undefined): void {
    if (op.bits === 16) throw new NotInlinable('16-bit branch');
    this.transfer = { to: 'offset', cond };
  }

  jump(target: Val<'i64'>): void {
    // a copy: blocks written next may change the register it came from
    const t = this.local('i64');
    this.set(t, target);
    this.transfer = { to: 'address', target: t };
  }
}

import type { Val } from '@sterna/wasm';
import type { Operand } from '../semantics/operand.ts';
import { Leave, Seg, Vec } from '../semantics/vectors.ts';
import { CPU_MAP, JUMP_CACHE } from '../state/memory-map.ts';
import { InterpFlags } from './interp-flags.ts';
import { branchSlow, findTarget } from './lookup.ts';
import { countJump, countSuccessor } from './profile.ts';
import { REC } from './records.ts';

export type { Context, Dispatcher, Linker } from './interp-base.ts';

/** Jumps that may lead to many places. Their targets are counted by offset: regions exist for flat code only. */
const COMPUTED: ReadonlySet<string> = new Set(['jmp_indirect', 'call_indirect']);

/** Prints semantics as interpreter code: operands come from the record at `pc`, registers and flags from memory. */
export class InterpMachine extends InterpFlags {
  /** Linear address of this instruction plus its length, when `next`. */
  #linearRip(next: boolean): Val<'i64'> {
    this.needRecord();
    const pos = this.load('i64.16u', this.pc, REC.pos);
    const offset = next
      ? this.add(this.and(pos, 0xfff), this.shrU(this.load('i64.16u', this.pc, REC.pos), 12))
      : this.and(pos, 0xfff);
    return this.add(this.get('pcPage'), offset);
  }

  #ripOf(linear: Val<'i64'>): Val<'i64'> {
    if (this.variant.code64 === true) return linear;
    return this.and(this.sub(linear, this.get('segEff', Seg.CS)), this.get('ipMask'));
  }

  nextRip(): Val<'i64'> {
    return this.let(this.#ripOf(this.#linearRip(true)));
  }

  thisRip(): Val<'i64'> {
    return this.let(this.#ripOf(this.#linearRip(false)));
  }

  relativeTarget(op: Operand): Val<'i64'> {
    const target = this.#ripOf(this.add(this.get('pcPage'), this.load('i64.32s', this.pc, REC.imm)));
    return this.let(op.bits === 16 ? this.and(target, 0xffff) : target);
  }

  jumpRelative(op: Operand): void {
    this.jumpRelativeIf(op, this.i32(1));
  }

  jumpRelativeIf(op: Operand, cond: Val<'i32'>): void {
    if (this.context === 'main') {
      this.takeBranch(0, cond);
      return;
    }
    this.if(cond, () => {
      this.return(this.call(this.linker.micro(branchSlow), this.pc, this.i32(op.bits === 16 ? 1 : 0)));
    });
    countSuccessor(this, this.add(this.pc, REC.size));
  }

  /**
   * In the dispatcher: goes on at the branch's target or after it. `skip` is the distance from `pc` to the branch's record
   * (16 for a fused pair).
   */
  takeBranch(skip: number, cond: Val<'i32'>): void {
    const d = this.dispatcher!;
    const c = cond.isConst ? cond : this.let(cond);
    this.set(d.branch, skip === 0 ? this.pc : this.add(this.pc, skip));
    this.set(this.pc, this.select(c, this.load('i32', this.pc, skip + REC.link), this.add(this.pc, skip + REC.size)));
    this.if(
      this.pc,
      () => {
        countSuccessor(this, this.pc);
        this.br(d.again);
      },
      undefined,
      true,
    );
    this.br(d.branchSlow);
  }

  checkTarget(target: Val<'i64'>): void {
    const canonical = (): void => this.raiseIf(this.ne(this.shrS(this.shl(target, 16), 16), target), Vec.GP, 0);
    const limit = (): void => this.raiseIf(this.gtU(target, this.extU(this.get('segLimit', Seg.CS))), Vec.GP, 0);
    if (this.variant.code64 === true) canonical();
    else if (this.variant.code64 === false) limit();
    else this.if(this.inLongMode(), canonical, limit);
  }

  jump(target: Val<'i64'>): void {
    const t = this.let(target);
    if (COMPUTED.has(this.variant.name)) countJump(this, this.pc, t);
    if (this.context === 'main') {
      const d = this.dispatcher!;
      const slot = this.local('i32');
      this.set(slot, this.wrap(t));
      this.set(slot, this.shl(this.and(this.xor(slot, this.shrU(slot, 12)), JUMP_CACHE.entries - 1), 4));
      const hit = this.and(
        this.eq(this.load('i64', slot, CPU_MAP.jumpCache), t),
        this.eq(this.load('i32', slot, CPU_MAP.jumpCache + 8), this.get('jcKey')),
      );
      this.if(
        hit,
        () => {
          const linear =
            this.variant.code64 === true ? t : this.and(this.add(t, this.get('segEff', Seg.CS)), 0xffff_ffffn);
          this.put('pcPage', this.and(linear, -4096));
          this.set(this.pc, this.load('i32', slot, CPU_MAP.jumpCache + 12));
          countSuccessor(this, this.pc);
          this.br(d.again);
        },
        undefined,
        true,
      );
      this.put('rip', t);
      this.br(d.jumpSlow);
      return;
    }
    this.put('rip', t);
    this.return(this.call(this.linker.micro(findTarget)));
  }

  serialize(): void {
    this.put('rip', this.nextRip());
    this.refetch();
  }

  refetch(): void {
    this.needRecord();
    this.leaveWith(Leave.REFETCH);
  }

  exit(reason: number): void {
    this.put('rip', this.nextRip());
    this.put('exitReason', reason);
    this.leaveWith(Leave.EXIT);
  }

  done(): void {
    this.needRecord();
    if (this.context === 'handler') {
      this.return(this.add(this.pc, REC.size));
      return;
    }
    this.set(this.pc, this.add(this.pc, REC.size));
    this.br(this.dispatcher!.again);
  }

  repeat(): void {
    this.put('rip', this.thisRip());
    this.refetch();
  }
}

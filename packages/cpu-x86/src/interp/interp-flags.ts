import type { Val } from '@sterna/wasm';
import type { FlagKind, Int, Machine } from '../semantics/machine.ts';
import type { Bits } from '../semantics/operand.ts';
import { Flag } from '../semantics/vectors.ts';
import { CC, evalCarry, evalCond, evalFlags, signExtend } from './flags.ts';

import { InterpOperands } from './interp-operands.ts';

/** Lazy flags in state cells. */
export abstract class InterpFlags extends InterpOperands {
  setFlags(kind: FlagKind, bits: Bits, a: Int, b: Int, result: Int, carry?: Val<'i32'>): void {
    if (kind === 'shl' || kind === 'shr' || kind === 'sar' || kind === 'mul') {
      this.put('ccKind', { shl: CC.SHL, shr: CC.SHR, sar: CC.SAR, mul: CC.MUL }[kind]);
      this.put('ccRes', signExtend(this, result, bits));
      this.put('ccA', kind === 'shl' || kind === 'shr' ? zeroExtend(this, a) : signExtend(this, a, bits));
      this.put('ccB', kind === 'mul' ? signExtend(this, b, bits) : this.add(zeroExtend(this, b), bits << 8));
      return;
    }
    const sub = kind === 'sub' || kind === 'sbb' || kind === 'dec' || kind === 'logic';
    if (kind === 'inc' || kind === 'dec')
      this.put('ccKind', this.add(this.let(this.cf()), kind === 'inc' ? CC.INC : CC.DEC));
    else if (carry !== undefined) this.put('ccKind', this.add(carry, sub ? CC.SUB : CC.ADD));
    else this.put('ccKind', sub ? CC.SUB : CC.ADD);
    const res = this.let(signExtend(this, result, bits));
    this.put('ccRes', res);
    this.put('ccA', kind === 'logic' ? res : signExtend(this, a, bits));
    this.put('ccB', kind === 'logic' ? 0 : signExtend(this, b, bits));
    this.producer = { kind, bits, a, b, result };
  }

  setFlagsResult(size: Bits, result: Int, cfOfAf: Val<'i32'>): void {
    this.put('ccRes', signExtend(this, result, size));
    this.put('ccA', this.extU(cfOfAf));
    this.put('ccKind', CC.GIVEN);
  }

  setArithFlags(value: Val<'i32'>): void {
    this.put('ccA', this.extU(value));
    this.put('ccKind', CC.ALL);
  }

  setCarry(value: Val<'i32'>): void {
    const c = value.isSimple ? value : this.let(value);
    this.if(
      this.ltU(this.get('ccKind'), CC.ALL),
      () => {
        const keep = this.let(this.and(this.call(this.linker.micro(evalFlags)), 0x810));
        this.put('ccA', this.extU(this.or(keep, c)));
        this.put('ccKind', CC.GIVEN);
      },
      () => this.put('ccA', this.or(this.and(this.get('ccA'), -2), this.extU(c))),
    );
  }

  setCarryOverflow(cf: Val<'i32'>, of: Val<'i32'>): void {
    const kept = this.and(this.arithFlags(), Flag.ARITH & ~(Flag.CF | Flag.OF));
    this.setArithFlags(this.or(kept, this.or(cf, this.shl(of, 11))));
  }

  cf(): Val<'i32'> {
    const r = this.local('i32');
    this.if(
      this.get('ccKind'),
      () => this.set(r, this.call(this.linker.micro(evalCarry))),
      () => this.set(r, this.ltU(this.get('ccA'), this.get('ccB'))),
    );
    return r;
  }

  arithFlags(): Val<'i32'> {
    return this.let(this.call(this.linker.micro(evalFlags)));
  }

  cond(cc: number): Val<'i32'> {
    const slow = (n: number): Val<'i32'> => this.call(this.linker.micro(evalCond), this.i32(n));
    const which = cc >> 1;
    if (this.context !== 'main' || which === 0 || which === 5) return this.let(slow(cc));
    const r = this.local('i32');
    const a = (): Val<'i64'> => this.get('ccA');
    const b = (): Val<'i64'> => this.get('ccB');
    const res = (): Val<'i64'> => this.get('ccRes');
    const fast: Record<number, () => Val<'i32'>> = {
      2: () => this.ltU(a(), b()),
      3: () => this.geU(a(), b()),
      4: () => this.eqz(res()),
      5: () => this.ne(res(), 0),
      6: () => this.leU(a(), b()),
      7: () => this.gtU(a(), b()),
      8: () => this.ltS(res(), 0),
      9: () => this.geS(res(), 0),
      12: () => this.ltS(a(), b()),
      13: () => this.geS(a(), b()),
      14: () => this.leS(a(), b()),
      15: () => this.gtS(a(), b()),
    };
    const known = which === 2 || which === 4 ? this.ltU(this.get('ccKind'), CC.ALL) : this.eqz(this.get('ccKind'));
    this.if(
      known,
      () => this.set(r, fast[cc]!()),
      () => this.set(r, slow(cc)),
      true,
    );
    return r;
  }
}

function zeroExtend(m: Machine, v: Int): Val<'i64'> {
  return v.type === 'i64' ? (v as Val<'i64'>) : m.extU(v as Val<'i32'>);
}

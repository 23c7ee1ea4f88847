import type { IntType, Local, Val } from '@sterna/wasm';
import { TRACE } from '../instrument/areas.ts';
import type { AccessOptions, Int } from '../semantics/machine.ts';
import type { Micro } from '../semantics/micro.ts';
import type { Bits } from '../semantics/operand.ts';
import { Seg, Vec } from '../semantics/vectors.ts';
import { TLB } from '../state/memory-map.ts';
import { PROBE, probeRead, probeWriteRange, writeMemory } from './access.ts';
import { linearAny } from './address.ts';
import { InterpBase } from './interp-base.ts';
import { traceEvent } from './trace.ts';
import { LOADS, STORES, width } from './widths.ts';

/** Access to linear memory: by the TLB inside the dispatcher, by functions elsewhere. */
export abstract class InterpMemory extends InterpBase {
  /**
   * Sets `host` to the host address of a linear range, by the TLB where the code is hot and by the given slow path, which
   * returns 0 for a fault.
   */
  protected hostOf(
    host: Local<'i32'>,
    linear: Val<'i64'>,
    bytes: number,
    tag: number,
    slow: Micro,
    options: number,
  ): void {
    const size = this.i32(bytes | options);
    this.#trace(linear, bytes, slow !== probeRead, options);
    if (this.context !== 'main') {
      this.set(host, this.call(this.linker.micro(slow), linear, size));
      this.faultIf(this.eqz(host));
      return;
    }
    const d = this.dispatcher!;
    this.set(host, this.add(this.and(this.wrap(this.shrU(linear, 7)), (TLB.entries - 1) * TLB.stride), d.tlb));
    const last = bytes === 1 ? linear : this.add(linear, bytes - 1);
    this.if(
      this.eq(this.load('i64', host, tag), this.and(last, -4096)),
      () => this.set(host, this.add(this.wrap(linear), this.load('i32', host, TLB.addend))),
      () => {
        this.saveCount();
        this.set(host, this.call(this.linker.micro(slow), linear, size));
        this.reloadCount();
        this.brIf(d.fault, this.eqz(host), false);
      },
      true,
    );
  }

  loadLinear<B extends Bits>(
    linear: Val<'i64'>,
    bits: B,
    options: AccessOptions = {},
  ): Val<B extends 64 ? 'i64' : B extends 128 ? 'v128' : 'i32'> {
    const address = this.let(linear);
    const host = this.local('i32');
    this.hostOf(host, address, width(bits) / 8, TLB.read, probeRead, accessBits(options));
    return this.let(this.load(LOADS[width(bits)], host) as Val) as never;
  }

  storeLinear(linear: Val<'i64'>, bits: Bits, value: Val, options: AccessOptions = {}): void {
    const b = width(bits);
    const address = linear.isSimple ? linear : this.let(linear);
    const v = value.isSimple ? value : this.let(value);
    this.#trace(address, b / 8, true, accessBits(options));
    const slow = (): Val<'i32'> =>
      this.call(this.linker.micro(writeMemory(v.type as 'i32')), address, v, this.i32((b / 8) | accessBits(options)));
    if (this.context !== 'main') {
      this.faultIf(slow());
      return;
    }
    const d = this.dispatcher!;
    const host = this.local('i32');
    this.set(host, this.add(this.and(this.wrap(this.shrU(address, 7)), (TLB.entries - 1) * TLB.stride), d.tlb));
    const last = b === 8 ? address : this.add(address, b / 8 - 1);
    this.if(
      this.eq(this.load('i64', host, TLB.write), this.and(last, -4096)),
      () => this.store(STORES[b], this.add(this.wrap(address), this.load('i32', host, TLB.addend)), v as never),
      () => {
        this.saveCount();
        this.set(host, slow());
        this.reloadCount();
        this.brIf(d.fault, host, false);
      },
      true,
    );
  }

  /** Statement: tells of an access, where that is wanted. One that faults is told of too, each time it is tried. */
  #trace(linear: Val<'i64'>, bytes: number, isWrite: boolean, options: number): void {
    if (this.linker.instrument !== 'trace' || (options & PROBE.SYSTEM) !== 0) return;
    this.do(
      this.functionOf(traceEvent),
      this.i32(isWrite ? bytes | TRACE.write : bytes),
      this.i32(TRACE.access),
      linear,
    );
  }

  probeWrite(linear: Val<'i64'>, bytes: number, options: AccessOptions = {}): void {
    this.faultIf(this.call(this.linker.micro(probeWriteRange), linear, this.i32(bytes), this.i32(accessBits(options))));
  }

  checkAligned(linear: Val<'i64'>): void {
    this.raiseIf(this.ne(this.and(this.wrap(linear), 15), 0), Vec.GP, 0);
  }

  sp(): Val<'i64'> {
    if (this.variant.code64 === true) return this.let(this.get('regs', 4));
    return this.let(this.and(this.get('regs', 4), this.get('stackMask')));
  }

  setSp(value: Val<'i64'>): void {
    if (this.variant.code64 === true) {
      this.put('regs', value, 4);
      return;
    }
    const mask = this.let(this.get('stackMask'));
    this.put('regs', this.or(this.and(this.get('regs', 4), this.not(mask)), this.and(value, mask)), 4);
  }

  stackTop(bytes: number): Val<'i64'> {
    const sp = this.sub(this.get('regs', 4), bytes);
    return this.let(this.variant.code64 === true ? sp : this.and(sp, this.get('stackMask')));
  }

  /** Linear address of `bytes` bytes at a stack offset, with limit checks outside 64-bit mode. */
  stackLinear(offset: Val<'i64'>, bytes: number, write: boolean): Val<'i64'> {
    if (this.variant.code64 === true) return offset;
    this.invoke(
      linearAny,
      this.i32((Seg.SS << 2) | 0x80),
      offset,
      this.i32(bytes | PROBE.STACK | (write ? PROBE.WRITE : 0)),
    );
    return this.let(this.get('temp', 7));
  }

  push(bits: 16 | 32 | 64, value: Int): void {
    const v = value.isSimple ? value : this.let(value);
    const top = this.stackTop(bits / 8);
    this.storeLinear(this.stackLinear(top, bits / 8, true), bits, v, { stack: true });
    this.setSp(top);
  }

  peek(bits: 16 | 32 | 64, offset = 0): Int {
    const at =
      offset === 0
        ? this.sp()
        : this.variant.code64 === true
          ? this.let(this.add(this.get('regs', 4), offset))
          : this.let(this.and(this.add(this.get('regs', 4), offset), this.get('stackMask')));
    return this.loadLinear(this.stackLinear(at, bits / 8, false), bits, { stack: true }) as Val<IntType>;
  }
}

function accessBits(options: AccessOptions): number {
  return (options.system ? PROBE.SYSTEM : 0) | (options.stack ? PROBE.STACK : 0);
}

import type { VmStateTable } from '@sterna/core';
import { PSR, PSR_BITS } from './psr.ts';

/** Numbers of registers with a role. */
export const RA = 14;
export const SP = 15;
/** First register that is 32 bits wide; those below have 16. */
export const FIRST_WIDE = 12;

/** The processor registers by their numbers in LPR and SPR; the 32-bit ones take two numbers. */
export const PROCESSOR_REGISTERS = [
  'dbs',
  'dsr',
  'dcr',
  undefined,
  'car0',
  undefined,
  'car1',
  undefined,
  'cfg',
  'psr',
  'intbase',
  undefined,
  'isp',
  undefined,
  'usp',
  undefined,
] as const;

/** CFG: dispatch table entries have 32 bits. */
export const CFG_ED = 0x100;
/** Bits of CFG that can be set. The short register mode (SR) is not there, and caches have nothing to configure. */
const CFG_BITS = 0x0bc | CFG_ED;
/** Stack pointers are even and have 24 bits. */
const STACK_BITS = 0xff_fffe;

/** All state that a program can see outside memory. */
export class Registers {
  /** r0 to r11 (16 bits), r12, r13, ra, sp (32 bits). In user mode sp is the user's stack pointer. */
  readonly r = new Uint32Array(16);
  /** Address of the current instruction, 24 bits. */
  pc = 0;
  dcr = 0;
  car0 = 0;
  car1 = 0;
  /** WAIT was executed, and nothing has ended it. */
  waiting = false;
  #dbs = 0;
  #dsr = 0;
  #psr = 0;
  #cfg = 0;
  #intbase = 0;
  #isp = 0;
  /** The stack pointer that `sp` does not show: the user's in supervisor mode, the supervisor's in user mode. */
  #otherSp = 0;

  reset(): void {
    this.r.fill(0);
    this.pc = this.#dbs = this.#dsr = this.dcr = this.car0 = this.car1 = 0;
    this.waiting = false;
    this.#psr = this.#cfg = this.#intbase = this.#isp = this.#otherSp = 0;
  }

  get psr(): number {
    return this.#psr;
  }
  set psr(value: number) {
    const before = this.#psr;
    this.#psr = value & PSR_BITS;
    if (((before ^ this.#psr) & PSR.U) === 0) return;
    const shown = this.r[SP]!;
    this.r[SP] = this.#otherSp;
    this.#otherSp = shown;
  }
  get dbs(): number {
    return this.#dbs;
  }
  set dbs(value: number) {
    this.#dbs = value & 0xffff;
  }
  get dsr(): number {
    return this.#dsr;
  }
  set dsr(value: number) {
    this.#dsr = value & 0xffff;
  }
  get cfg(): number {
    return this.#cfg;
  }
  set cfg(value: number) {
    this.#cfg = value & CFG_BITS;
  }
  get intbase(): number {
    return this.#intbase;
  }
  set intbase(value: number) {
    this.#intbase = value & STACK_BITS;
  }
  get isp(): number {
    return this.#isp;
  }
  set isp(value: number) {
    this.#isp = value & STACK_BITS;
  }
  get usp(): number {
    return (this.#psr & PSR.U) === 0 ? this.#otherSp : this.r[SP]!;
  }
  set usp(value: number) {
    if ((this.#psr & PSR.U) === 0) this.#otherSp = value >>> 0;
    else this.r[SP] = value;
  }
  /** The hidden stack pointer, as it travels. */
  get otherSp(): number {
    return this.#otherSp;
  }
  set otherSp(value: number) {
    this.#otherSp = value >>> 0;
  }

  /** Low 16 bits. */
  word(n: number): number {
    return this.r[n]! & 0xffff;
  }
  /** Writes the low 16 bits; the upper half of a wide register stays. */
  setWord(n: number, value: number): void {
    this.r[n] = n < FIRST_WIDE ? value & 0xffff : (this.r[n]! & 0xffff_0000) | (value & 0xffff);
  }
  setByte(n: number, value: number): void {
    this.r[n] = (this.r[n]! & 0xffff_ff00) | (value & 0xff);
  }
  /** 32 bits: (r1,r0) is pair 0, (r12_L,r11) pair 11, and from 12 on it is the wide register itself. */
  pair(n: number): number {
    const { r } = this;
    if (n >= FIRST_WIDE) return r[n]!;
    return (((r[n + 1]! & 0xffff) << 16) | r[n]!) >>> 0;
  }
  setPair(n: number, value: number): void {
    if (n >= FIRST_WIDE) {
      this.r[n] = value;
      return;
    }
    this.setWord(n, value);
    this.setWord(n + 1, value >>> 16);
  }

  /** Changes some bits of the status register other than U. */
  setFlags(mask: number, value: number): void {
    this.#psr = (this.#psr & ~mask) | value;
  }
}

/** Version 1 of the CPU's section. */
export const registersVmstate: VmStateTable<Registers> = {
  name: 'cpu',
  version: 1,
  fields: ({ u16, u32, array, bool }) => [
    array('u32', 'r', 16),
    u32('pc'),
    // Raw, so that loading does not exchange the stack pointers.
    u16({ name: 'psr', get: (s) => s.psr, set: (s, value) => s.setFlags(PSR_BITS, value & PSR_BITS) }),
    u16('cfg'),
    u32('intbase'),
    u32('isp'),
    u32('otherSp'),
    u16('dbs'),
    u16('dsr'),
    u32('dcr'),
    u32('car0'),
    u32('car1'),
    bool('waiting'),
  ],
  postLoad(state) {
    if (state.pc > 0xff_ffff || (state.pc & 1) !== 0)
      throw new RangeError(`pc 0x${state.pc.toString(16)} is not an even address of 24 bits`);
    for (let n = 0; n < FIRST_WIDE; n++)
      if (state.r[n]! > 0xffff) throw new RangeError(`r${n} holds 0x${state.r[n]!.toString(16)}, more than 16 bits`);
  },
};

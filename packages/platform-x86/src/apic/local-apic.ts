import type { VirtualClock } from '@sterna/core';
import type { LoadGate } from '../support/load-gate.ts';
import type { ApicBus, ApicOnBus } from './apic-bus.ts';
import type { CpuPort, LocalApicPort } from './cpu-port.ts';
import {
  APIC_DEFAULT_ADDRESS,
  BASE_BSP,
  BASE_ENABLE,
  BASE_EXTD,
  DFR_CLUSTER,
  DFR_FLAT,
  DM_EXTINT,
  DM_FIXED,
  DM_INIT,
  DM_NMI,
  DM_SIPI,
  DM_SMI,
  ESR_ILLEGAL_ADDRESS,
  LVT_COUNT,
  LVT_LEVEL,
  LVT_LINT0,
  LVT_LINT1,
  LVT_MASKED,
  LVT_TIMER,
  PHYS_LIMIT,
  REG_APR,
  REG_CURRENT_COUNT,
  REG_DFR,
  REG_DIVIDE,
  REG_EOI,
  REG_ESR,
  REG_ICR_HIGH,
  REG_ICR_LOW,
  REG_ID,
  REG_INITIAL_COUNT,
  REG_IRR,
  REG_ISR,
  REG_LDR,
  REG_LVT,
  REG_PPR,
  REG_SVR,
  REG_TMR,
  REG_TPR,
  REG_VERSION,
  SVR_ENABLE,
} from './registers.ts';
import { LocalTimer } from './timer.ts';
import { clearBit, highestBit, setBit, testBit } from './vectors.ts';
import { readX2apic, writeX2apic, x2apicLogicalId } from './x2apic.ts';

/** Version register: integrated APIC with six LVT entries. */
const VERSION = 0x14 | ((LVT_COUNT - 1) << 16);
/** Low bits of MSR 0x1b that are reserved: all but enable, x2APIC and BSP. */
const BASE_RESERVED_LOW = 0x2ff;
/** Destination of an interrupt for everybody in x2APIC mode. */
const X2APIC_BROADCAST = 0xffff_ffff;

/**
 * A local APIC: registers in memory (xAPIC) or behind MSRs (x2APIC, see `x2apic.ts`).
 *
 * Its one output is the CPU's interrupt request, a pure function of this state and the
 * 8259's output: {@link LocalApic.updateLine} computes it after every change and after a load.
 *
 * @see SDM vol. 3A §11; QEMU hw/intc/apic.c, v10.0
 */
export class LocalApic extends LocalTimer implements ApicOnBus, LocalApicPort {
  readonly index: number;
  apicbase = 0;
  id: number;
  arbId = 0;
  tpr = 0;
  spuriousVec = 0xff;
  logDest = 0;
  destMode = DFR_FLAT;
  readonly isr = new Uint32Array(8);
  readonly tmr = new Uint32Array(8);
  readonly irr = new Uint32Array(8);
  esr = 0;
  readonly icr = new Uint32Array(2);
  sipiVector = 0;
  waitForSipi = false;

  readonly #initialId: number;
  readonly #cpu: CpuPort;
  readonly #bus: ApicBus;
  readonly #gate: LoadGate;
  #line = false;

  constructor(index: number, id: number, cpu: CpuPort, bus: ApicBus, clock: VirtualClock, gate: LoadGate) {
    super(`apic${index}`, clock);
    this.index = index;
    this.#initialId = id;
    this.id = id;
    this.#cpu = cpu;
    this.#bus = bus;
    this.#gate = gate;
  }

  /** Leaves the bus. */
  detach(): void {
    this.#bus.detachApic(this);
    this.cancelTimer();
  }

  /** Power-on and system reset. */
  reset(): void {
    const isBsp = this.index === 0;
    this.apicbase = (APIC_DEFAULT_ADDRESS + (isBsp ? BASE_BSP : 0) + BASE_ENABLE) >>> 0;
    this.id = this.#initialId;
    this.#bus.place(this, APIC_DEFAULT_ADDRESS);
    this.initReset();
  }

  /** Whether this is the bootstrap processor's. */
  get isBsp(): boolean {
    return (this.apicbase & BASE_BSP) !== 0;
  }

  initReset(): void {
    this.tpr = 0;
    this.spuriousVec = 0xff;
    this.logDest = 0;
    this.destMode = DFR_FLAT;
    this.isr.fill(0);
    this.tmr.fill(0);
    this.irr.fill(0);
    this.lvt.fill(LVT_MASKED);
    this.esr = 0;
    this.icr.fill(0);
    this.resetTimer();
    this.waitForSipi = !this.isBsp;
    this.updateLine();
  }

  // --- interrupt request and acknowledge ---

  get enabled(): boolean {
    return (this.apicbase & BASE_ENABLE) !== 0;
  }

  /** Whether the registers are reached by MSRs. */
  get x2apic(): boolean {
    return (this.apicbase & BASE_EXTD) !== 0;
  }

  get inMemory(): boolean {
    return this.enabled && !this.x2apic;
  }

  hasInterrupt(): boolean {
    return this.#line;
  }

  /** Processor priority: the higher of TPR and the class being served (SDM vol. 3A §11.8.3.1). */
  get ppr(): number {
    const served = Math.max(0, highestBit(this.isr)) & 0xf0;
    return this.tpr >> 4 >= served >> 4 ? this.tpr : served;
  }

  /** The vector that may be delivered now, or -1. */
  #deliverable(): number {
    if ((this.spuriousVec & SVR_ENABLE) === 0) return -1;
    const vector = highestBit(this.irr);
    if (vector <= 0) return -1;
    const ppr = this.ppr;
    return ppr !== 0 && (vector & 0xf0) <= (ppr & 0xf0) ? -1 : vector;
  }

  /** True when the 8259's output reaches the CPU as an ExtINT. */
  #acceptsPic(): boolean {
    if (!this.enabled) return this.isBsp;
    const lint0 = this.lvt[LVT_LINT0]!;
    return (lint0 & LVT_MASKED) === 0 && ((lint0 >> 8) & 7) === DM_EXTINT;
  }

  #requests(): boolean {
    return this.#deliverable() > 0 || (this.#acceptsPic() && this.#bus.picOutput);
  }

  /** Tells the CPU the level of its interrupt request. */
  updateLine(): void {
    const level = this.#requests();
    if (level === this.#line) return;
    this.#line = level;
    this.#cpu.setInterruptLine(level);
  }

  /** After a load: rebuilds the timer, and tells the CPU the level whatever it was told before. */
  restore(): void {
    this.#bus.place(this, pageOf(this.apicbase));
    this.restoreTimer();
    this.#line = this.#requests();
    this.#cpu.setInterruptLine(this.#line);
  }

  acknowledgeInterrupt(): number {
    // ExtINT ignores priorities, so the 8259 goes first (QEMU hw/intc/apic.c, v10.0).
    if (this.#acceptsPic() && this.#bus.picOutput) {
      const vector = this.#bus.readPicIrq();
      this.updateLine();
      return vector;
    }
    const vector = this.#deliverable();
    if (vector < 0) {
      this.updateLine();
      return -1;
    }
    clearBit(this.irr, vector);
    setBit(this.isr, vector);
    this.updateLine();
    return vector;
  }

  setIrq(vector: number, level: boolean): void {
    setBit(this.irr, vector);
    if (level) setBit(this.tmr, vector);
    else clearBit(this.tmr, vector);
    this.updateLine();
  }

  nmi(): void {
    this.#cpu.nmi();
  }

  smi(): void {
    this.#cpu.smi();
  }

  init(): void {
    this.#cpu.init();
  }

  startup(vector: number): void {
    this.sipiVector = vector;
    this.#cpu.sipi(vector);
  }

  takeSipi(): number {
    if (!this.waitForSipi) return -1;
    this.waitForSipi = false;
    return this.sipiVector;
  }

  #endOfInterrupt(): void {
    const vector = highestBit(this.isr);
    if (vector < 0) return;
    clearBit(this.isr, vector);
    if (testBit(this.tmr, vector)) this.#bus.broadcastEoi(vector);
    this.updateLine();
  }

  // --- local sources ---

  setLint0(level: boolean): void {
    if (!this.#gate.loading) {
      const lint0 = this.lvt[LVT_LINT0]!;
      const fixed = ((lint0 >> 8) & 7) === DM_FIXED;
      if (level) this.deliverLocal(LVT_LINT0);
      else if (fixed && (lint0 & LVT_LEVEL) !== 0) clearBit(this.irr, lint0 & 0xff);
    }
    this.updateLine();
  }

  /** An NMI from outside: QMP `inject-nmi` and chipset NMIs arrive at LINT1. */
  externalNmi(): void {
    this.deliverLocal(LVT_LINT1);
  }

  protected override deliverLocal(entry: number): void {
    const lvt = this.lvt[entry]!;
    if ((lvt & LVT_MASKED) !== 0) return;
    switch ((lvt >> 8) & 7) {
      case DM_SMI:
        this.#cpu.smi();
        break;
      case DM_NMI:
        this.#cpu.nmi();
        break;
      case DM_FIXED:
        this.setIrq(lvt & 0xff, (entry === LVT_LINT0 || entry === LVT_LINT1) && (lvt & LVT_LEVEL) !== 0);
        break;
      default: // ExtINT is part of updateLine; INIT does not exist in an LVT entry
        break;
    }
  }

  // --- destinations ---

  matchesLogical(destination: number): boolean {
    if (this.x2apic) {
      const own = x2apicLogicalId(this.id);
      return destination >>> 16 === own >>> 16 && (destination & own & 0xffff) !== 0;
    }
    if (this.destMode === DFR_FLAT) return (destination & this.logDest) !== 0;
    if (this.destMode !== DFR_CLUSTER) return false;
    return (destination & 0xf0) === (this.logDest & 0xf0) && (destination & this.logDest & 0x0f) !== 0;
  }

  #sendIpi(): void {
    const low = this.icr[0]!;
    const vector = low & 0xff;
    const mode = (low >> 8) & 7;
    const logical = (low & 0x800) !== 0;
    const level = (low & 0x8000) !== 0;
    const shorthand = (low >> 18) & 3;
    const destination = this.x2apic ? this.icr[1]! : this.icr[1]! >>> 24;
    if (mode === DM_INIT && level && (low & 0x4000) === 0) {
      // INIT level de-assert resets nothing (SDM vol. 3A §11.6.1).
      if (shorthand === 0) this.#bus.synchroniseArbitration(destination, logical);
      else this.#bus.synchroniseArbitration(X2APIC_BROADCAST, false);
      return;
    }
    switch (shorthand) {
      case 0:
        this.#bus.deliver(destination, logical, mode, vector, level);
        break;
      case 1:
        this.#sendToSelf(mode, vector, level);
        break;
      case 2:
        this.#bus.deliverAll(undefined, mode, vector, level);
        break;
      default:
        this.#bus.deliverAll(this, mode, vector, level);
    }
  }

  #sendToSelf(mode: number, vector: number, level: boolean): void {
    if (mode === DM_NMI) this.#cpu.nmi();
    else if (mode === DM_SMI) this.#cpu.smi();
    else if (mode === DM_INIT) this.#cpu.init();
    else if (mode === DM_SIPI) this.startup(vector);
    else this.setIrq(vector, level);
  }

  // --- registers ---

  readRegister(index: number): number {
    if (index >= REG_ISR && index < REG_ISR + 8) return this.isr[index - REG_ISR]!;
    if (index >= REG_TMR && index < REG_TMR + 8) return this.tmr[index - REG_TMR]!;
    if (index >= REG_IRR && index < REG_IRR + 8) return this.irr[index - REG_IRR]!;
    if (index >= REG_LVT && index < REG_LVT + LVT_COUNT) return this.lvt[index - REG_LVT]!;
    switch (index) {
      case REG_ID:
        return (this.id << 24) >>> 0;
      case REG_VERSION:
        return VERSION;
      case REG_TPR:
        return this.tpr;
      case REG_APR:
      case REG_EOI:
        return 0;
      case REG_PPR:
        return this.ppr;
      case REG_LDR:
        return (this.logDest << 24) >>> 0;
      case REG_DFR:
        return ((this.destMode << 28) | 0x0fff_ffff) >>> 0;
      case REG_SVR:
        return this.spuriousVec;
      case REG_ESR:
        return this.esr;
      case REG_ICR_LOW:
        return this.icr[0]!;
      case REG_ICR_HIGH:
        return this.icr[1]!;
      case REG_INITIAL_COUNT:
        return this.initialCount;
      case REG_CURRENT_COUNT:
        return this.currentCount(this.clock.now());
      case REG_DIVIDE:
        return this.divideConf;
      default:
        this.esr |= ESR_ILLEGAL_ADDRESS;
        return 0;
    }
  }

  writeRegister(index: number, value: number): void {
    if (index >= REG_LVT && index < REG_LVT + LVT_COUNT) {
      this.#writeLvt(index - REG_LVT, value);
      return;
    }
    switch (index) {
      case REG_ID:
        this.id = value >>> 24;
        break;
      case REG_TPR:
        this.tpr = value & 0xff;
        this.updateLine();
        break;
      case REG_EOI:
        this.#endOfInterrupt();
        break;
      case REG_LDR:
        this.logDest = value >>> 24;
        break;
      case REG_DFR:
        this.destMode = value >>> 28;
        break;
      case REG_SVR:
        this.spuriousVec = value & 0x1ff;
        this.updateLine();
        break;
      case REG_ICR_LOW:
        this.icr[0] = value;
        this.#sendIpi();
        break;
      case REG_ICR_HIGH:
        this.icr[1] = value;
        break;
      case REG_INITIAL_COUNT:
        this.setInitialCount(value);
        break;
      case REG_DIVIDE:
        this.setDivider(value);
        break;
      default:
        if (!isReadOnly(index)) this.esr |= ESR_ILLEGAL_ADDRESS;
    }
  }

  #writeLvt(entry: number, value: number): void {
    const before = this.lvt[entry]!;
    this.lvt[entry] = value;
    if (entry === LVT_TIMER) {
      this.timerModeChanged(before, value);
    } else if (entry === LVT_LINT0) {
      // Unmasking a fixed LINT0 while the 8259 asks latches the request at once.
      if (this.#bus.picOutput) this.deliverLocal(LVT_LINT0);
      this.updateLine();
    }
  }

  getTpr(): number {
    return this.tpr >> 4;
  }

  setTpr(priorityClass: number): void {
    this.tpr = (priorityClass & 0xf) << 4;
    this.updateLine();
  }

  readX2apic(register: number, out: Uint32Array): boolean {
    return readX2apic(this, register, out);
  }

  writeX2apic(register: number, low: number, high: number): boolean {
    return writeX2apic(this, register, low, high);
  }

  getBase(): number {
    return this.apicbase;
  }

  setBase(value: number, x2apicExists = false): boolean {
    if (value < 0 || value >= PHYS_LIMIT || ((value % 0x1000) & BASE_RESERVED_LOW) !== 0) return false;
    const enable = ((value % 0x1000) & BASE_ENABLE) !== 0;
    const extended = ((value % 0x1000) & BASE_EXTD) !== 0;
    if (extended && (!x2apicExists || !enable)) return false;
    // Of the four ways to change the mode, two are closed (SDM vol. 3A §11.12.5).
    if (this.x2apic && enable && !extended) return false;
    if (!this.enabled && extended) return false;
    this.apicbase = pageOf(value) + (this.apicbase & BASE_BSP) + ((value % 0x1000) & (BASE_ENABLE | BASE_EXTD));
    this.#bus.place(this, pageOf(value));
    if (!enable) this.spuriousVec &= ~SVR_ENABLE;
    // Off, and in x2APIC mode, the id is what the CPU was made with.
    if (!enable || extended) this.id = this.#initialId;
    this.updateLine();
    return true;
  }
}

/** Address part of MSR 0x1b below 4 GiB, which is as far as QEMU's stream field goes. */
function pageOf(base: number): number {
  return (base % 2 ** 32) - (base % 0x1000);
}

function isReadOnly(index: number): boolean {
  return (
    index === REG_VERSION ||
    index === REG_APR ||
    index === REG_PPR ||
    (index >= REG_ISR && index < REG_IRR + 8) ||
    index === REG_ESR ||
    index === REG_CURRENT_COUNT
  );
}

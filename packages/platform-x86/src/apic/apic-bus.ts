import { type DeviceRegion, Irq, type IrqLine } from '@sterna/core';
import { DM_EXTINT, DM_FIXED, DM_INIT, DM_LOWEST, DM_NMI, DM_SIPI, DM_SMI } from './registers.ts';

/** What the bus needs of a local APIC. */
export interface ApicOnBus {
  readonly index: number;
  readonly id: number;
  arbId: number;
  /** True when a logical destination addresses this APIC. */
  matchesLogical(destination: number): boolean;
  setIrq(vector: number, level: boolean): void;
  nmi(): void;
  smi(): void;
  init(): void;
  startup(vector: number): void;
  /** Level of the 8259's output at LINT0. */
  setLint0(level: boolean): void;
  readRegister(index: number): number;
  writeRegister(index: number, value: number): void;
}

/** Somebody who is told the vectors of level interrupts that a CPU has finished. */
export interface EoiListener {
  eoi(vector: number): void;
}

/** The master 8259 as CPUs see it. */
export interface PicAcknowledge {
  readonly output: boolean;
  readIrq(): number;
}

const MSI_SPACE = 0x10_0000;
const BROADCAST = 0xff;

/**
 * What connects local APICs, IO-APICs and the 8259: interrupt messages, EOI
 * broadcasts, the LINT0 wire, and the 1 MiB at 0xfee00000 where CPUs find their
 * own APIC and everybody finds the MSI window. The class is its own service identifier.
 */
export class ApicBus {
  readonly #apics: ApicOnBus[] = [];
  readonly #listeners: EoiListener[] = [];
  readonly #currentCpu: () => number;
  #pic: PicAcknowledge | undefined;
  /** Goes to LINT0 of every CPU: wire the master 8259's output here. */
  readonly picLine: IrqLine;
  /** Map at 0xfee00000. */
  readonly region: DeviceRegion;

  /** @param currentCpu Index of the CPU whose access is being served, -1 when a device writes. */
  constructor(currentCpu: () => number) {
    this.#currentCpu = currentCpu;
    this.picLine = new Irq((level) => {
      for (const apic of this.#apics) apic.setLint0(level);
    });
    this.region = {
      name: 'apic-msi',
      space: 'mmio',
      size: MSI_SPACE,
      read: (offset, size) => this.#read(offset, size),
      write: (offset, value, size) => this.#write(offset, value, size),
    };
  }

  /** Adds a local APIC; CPUs come in order of their index. */
  attachApic(apic: ApicOnBus): void {
    this.#apics.push(apic);
    this.#apics.sort((a, b) => a.index - b.index);
  }

  detachApic(apic: ApicOnBus): void {
    const at = this.#apics.indexOf(apic);
    if (at >= 0) this.#apics.splice(at, 1);
  }

  /** Adds an IO-APIC. */
  attachEoiListener(listener: EoiListener): void {
    this.#listeners.push(listener);
  }

  detachEoiListener(listener: EoiListener): void {
    const at = this.#listeners.indexOf(listener);
    if (at >= 0) this.#listeners.splice(at, 1);
  }

  /** Names the master 8259. */
  attachPic(pic: PicAcknowledge): void {
    this.#pic = pic;
  }

  /** The 8259 asks for an interrupt. */
  get picOutput(): boolean {
    return this.#pic?.output ?? false;
  }

  /** The 8259's acknowledge cycle; -1 without one. */
  readPicIrq(): number {
    return this.#pic?.readIrq() ?? -1;
  }

  /** A CPU has finished a level interrupt. */
  broadcastEoi(vector: number): void {
    for (const listener of this.#listeners) listener.eoi(vector);
  }

  /** An MSI write at `address` (SDM vol. 3A §11.11). */
  deliverMsi(address: number, data: number): void {
    const low = address % MSI_SPACE;
    this.deliver((low >> 12) & 0xff, (low & 4) !== 0, (data >> 8) & 7, data & 0xff, (data & 0x8000) !== 0);
  }

  /** Sends an interrupt message to the APICs that a destination addresses. */
  deliver(destination: number, logical: boolean, deliveryMode: number, vector: number, level: boolean): void {
    for (const apic of this.#apics) {
      if (!addresses(apic, destination, logical)) continue;
      deliverTo(apic, deliveryMode, vector, level);
      // QUIRK: no arbitration, the first CPU addressed is taken.
      if (deliveryMode === DM_LOWEST) return;
    }
  }

  /** Sends to all APICs, or all but `except`: the ICR's shorthands. */
  deliverAll(except: ApicOnBus | undefined, deliveryMode: number, vector: number, level: boolean): void {
    for (const apic of this.#apics) {
      if (apic === except) continue;
      deliverTo(apic, deliveryMode, vector, level);
      if (deliveryMode === DM_LOWEST) return;
    }
  }

  /** INIT level de-assert: addressed APICs take their id as arbitration id. */
  synchroniseArbitration(destination: number, logical: boolean): void {
    for (const apic of this.#apics) if (addresses(apic, destination, logical)) apic.arbId = apic.id;
  }

  #current(): ApicOnBus | undefined {
    const index = this.#currentCpu();
    return index < 0 ? undefined : this.#apics[index];
  }

  #read(offset: number, size: number): number {
    // Registers are 32 bits wide; narrower accesses are undefined (SDM vol. 3A §11.4.1) and read zero.
    if (size < 4) return 0;
    return this.#current()?.readRegister((offset >> 4) & 0xff) ?? 0;
  }

  #write(offset: number, value: number, size: number): void {
    if (size < 4) return;
    const index = (offset >> 4) & 0xff;
    // The first 16 bytes hold no APIC register, so a write there is an MSI to destination 0.
    if (offset > 0xfff || index === 0) this.deliverMsi(offset, value);
    else this.#current()?.writeRegister(index, value);
  }
}
function addresses(apic: ApicOnBus, destination: number, logical: boolean): boolean {
  if (logical) return apic.matchesLogical(destination);
  return destination === BROADCAST || destination === apic.id;
}

function deliverTo(apic: ApicOnBus, deliveryMode: number, vector: number, level: boolean): void {
  switch (deliveryMode) {
    case DM_FIXED:
    case DM_LOWEST:
    case DM_EXTINT: // the sender has asked the 8259 for the vector
      apic.setIrq(vector, level);
      break;
    case DM_SMI:
      apic.smi();
      break;
    case DM_NMI:
      apic.nmi();
      break;
    case DM_INIT:
      apic.init();
      break;
    case DM_SIPI:
      apic.startup(vector);
      break;
    default: // reserved
      break;
  }
}

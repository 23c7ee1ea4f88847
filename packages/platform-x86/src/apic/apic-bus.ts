import { type DeviceRegion, Irq, type IrqLine } from '@sterna/core';
import { APIC_DEFAULT_ADDRESS, DM_EXTINT, DM_FIXED, DM_INIT, DM_LOWEST, DM_NMI, DM_SIPI, DM_SMI } from './registers.ts';

/** What the bus needs of a local APIC. */
export interface ApicOnBus {
  readonly index: number;
  readonly id: number;
  arbId: number;
  /** Its registers are in memory: it is on, and not in x2APIC mode. */
  readonly inMemory: boolean;
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
const X2APIC_BROADCAST = 0xffff_ffff;
/** What a read of a register page finds when no APIC answers. */
const NOBODY = 0xffff_ffff;
const PAGE = 0x1000;

/** Maps a region of registers somewhere in physical memory until disposed. */
export type MapRegisters = (base: number, region: DeviceRegion) => Disposable;

/**
 * What connects local APICs, IO-APICs and the 8259: interrupt messages, EOI
 * broadcasts, the LINT0 wire, and the 1 MiB at 0xfee00000 where CPUs find their
 * own APIC and everybody finds the MSI window. The class is its own service identifier.
 */
export class ApicBus {
  readonly #apics: ApicOnBus[] = [];
  readonly #listeners: EoiListener[] = [];
  readonly #currentCpu: () => number;
  readonly #map: MapRegisters | undefined;
  /** Where the registers of APICs are that were moved, and the pages mapped for them. */
  readonly #places = new Map<ApicOnBus, number>();
  readonly #pages = new Map<number, Disposable>();
  #pic: PicAcknowledge | undefined;
  /** Goes to LINT0 of every CPU: wire the master 8259's output here. */
  readonly picLine: IrqLine;
  /** Map at 0xfee00000. */
  readonly region: DeviceRegion;

  /**
   * @param currentCpu Index of the CPU whose access is being served, -1 when a device writes.
   * @param map How to map an APIC's page at another address than the usual one; without it nobody can move.
   */
  constructor(currentCpu: () => number, map?: MapRegisters) {
    this.#currentCpu = currentCpu;
    this.#map = map;
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
    this.place(apic, APIC_DEFAULT_ADDRESS);
  }

  /** The registers of an APIC are at another address from now on (MSR 0x1b). */
  place(apic: ApicOnBus, base: number): void {
    if (base === (this.#places.get(apic) ?? APIC_DEFAULT_ADDRESS)) return;
    if (base === APIC_DEFAULT_ADDRESS) this.#places.delete(apic);
    else this.#places.set(apic, base);
    const used = new Set(this.#places.values());
    for (const [at, mapping] of this.#pages) {
      if (used.has(at)) continue;
      mapping[Symbol.dispose]();
      this.#pages.delete(at);
    }
    if (this.#map === undefined) return;
    for (const at of used) if (!this.#pages.has(at)) this.#pages.set(at, this.#map(at, this.#moved(at)));
  }

  /** The page of those CPUs whose APIC was moved to `base`. */
  #moved(base: number): DeviceRegion {
    return {
      name: `apic-${base.toString(16)}`,
      space: 'mmio',
      size: PAGE,
      read: (offset, size) => this.#readAt(base, offset, size),
      write: (offset, value, size) => {
        if (size === 4) this.#answering(base)?.writeRegister((offset >> 4) & 0xff, value);
      },
    };
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

  /** The current CPU's APIC, if its registers are in memory at `base`. */
  #answering(base: number): ApicOnBus | undefined {
    const index = this.#currentCpu();
    const apic = index < 0 ? undefined : this.#apics[index];
    return apic?.inMemory && (this.#places.get(apic) ?? APIC_DEFAULT_ADDRESS) === base ? apic : undefined;
  }

  #readAt(base: number, offset: number, size: number): number {
    const apic = this.#answering(base);
    if (apic === undefined) return NOBODY;
    // Registers are 32 bits wide; narrower accesses are undefined (SDM vol. 3A §11.4.1) and read zero.
    return size < 4 ? 0 : apic.readRegister((offset >> 4) & 0xff);
  }

  #read(offset: number, size: number): number {
    return this.#readAt(APIC_DEFAULT_ADDRESS, offset, size);
  }

  #write(offset: number, value: number, size: number): void {
    if (size < 4) return;
    const index = (offset >> 4) & 0xff;
    // The first 16 bytes hold no APIC register, so a write there is an MSI to destination 0.
    if (offset > 0xfff || index === 0) this.deliverMsi(offset, value);
    else this.#answering(APIC_DEFAULT_ADDRESS)?.writeRegister(index, value);
  }
}
function addresses(apic: ApicOnBus, destination: number, logical: boolean): boolean {
  if (destination === X2APIC_BROADCAST) return true;
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

/** What the chip does; it knows no bus, no stream and no registers' addresses. */
import type { Dma, DmaRange, IrqLine, Logger, Timer, VirtualClock } from '@sterna/core';

/** ID register: version 1.0 and the device's mark. */
export const ID = 0x010000ed;
/** Where DMA addresses mean the device's own buffer. */
export const BUFFER_BASE = 0x4_0000;
/** Bytes of the buffer. */
export const BUFFER_SIZE = 4096;

const STATUS_COMPUTING = 1 << 0;
const STATUS_RAISES = 1 << 7;
const IRQ_FACTORIAL = 1 << 0;
const IRQ_DMA = 1 << 8;
const DMA_RUN = 1 << 0;
/** From the buffer into RAM; without it from RAM into the buffer. */
const DMA_TO_RAM = 1 << 1;
const DMA_RAISES = 1 << 2;
const DMA_COMMANDS = DMA_RUN | DMA_TO_RAM | DMA_RAISES;

/** Settings that do not change. */
export interface EduSettings {
  readonly dmaMask: number;
  readonly factorialNs: number;
  readonly dmaNs: number;
}

/** What the chip is connected to. */
export interface EduParts {
  readonly irq: IrqLine;
  readonly clock: VirtualClock;
  readonly dma: Dma;
  readonly logger: Logger;
}

/** State and behaviour. */
export class Edu {
  liveness = 0;
  factorial = 0;
  /** Its bit 0 says that a computation is under way. */
  status = 0;
  irqStatus = 0;
  dmaSource = 0;
  dmaTarget = 0;
  dmaCount = 0;
  dmaCommand = 0;
  /** The transfer has begun and waits for guest pages. */
  dmaMoving = false;
  readonly buffer: Uint8Array = new Uint8Array(BUFFER_SIZE);
  readonly computation: Timer;
  readonly transfer: Timer;
  readonly #settings: EduSettings;
  readonly #parts: EduParts;

  constructor(settings: EduSettings, parts: EduParts) {
    this.#settings = settings;
    this.#parts = parts;
    this.computation = parts.clock.timer('factorial', () => this.#finishComputation());
    this.transfer = parts.clock.timer('dma', () => this.move());
  }

  reset(): void {
    this.liveness = this.factorial = this.status = this.irqStatus = 0;
    this.dmaSource = this.dmaTarget = this.dmaCount = this.dmaCommand = 0;
    this.dmaMoving = false;
    this.buffer.fill(0);
    this.computation.cancel();
    this.transfer.cancel();
    this.syncIrq();
  }

  /** The line is high while any cause is pending. */
  syncIrq(): void {
    this.#parts.irq.set(this.irqStatus !== 0);
  }

  /** Any bits may be raised by the guest, to try its handler. */
  raise(bits: number): void {
    this.irqStatus = (this.irqStatus | bits) >>> 0;
    this.syncIrq();
  }

  acknowledge(bits: number): void {
    this.irqStatus = (this.irqStatus & ~bits) >>> 0;
    this.syncIrq();
  }

  readStatus(): number {
    return this.status;
  }

  writeStatus(value: number): void {
    this.status = (this.status & STATUS_COMPUTING) | (value & STATUS_RAISES);
  }

  /** Begins `value!`; a number that comes while one is computed is ignored. */
  compute(value: number): void {
    if ((this.status & STATUS_COMPUTING) !== 0) return;
    this.factorial = value;
    this.status |= STATUS_COMPUTING;
    this.computation.arm(this.#parts.clock.now() + this.#settings.factorialNs);
  }

  #finishComputation(): void {
    this.factorial = factorialOf(this.factorial);
    this.status &= ~STATUS_COMPUTING;
    if ((this.status & STATUS_RAISES) !== 0) this.raise(IRQ_FACTORIAL);
  }

  /** Registers of a transfer stand still while it runs. */
  setDma(register: 'dmaSource' | 'dmaTarget' | 'dmaCount', value: number): void {
    if ((this.dmaCommand & DMA_RUN) === 0) this[register] = value;
  }

  startDma(command: number): void {
    if ((this.dmaCommand & DMA_RUN) !== 0) return;
    this.dmaCommand = command & DMA_COMMANDS;
    if ((this.dmaCommand & DMA_RUN) !== 0) this.transfer.arm(this.#parts.clock.now() + this.#settings.dmaNs);
  }

  /** The range of RAM and of the buffer, or undefined when the guest asks for something that is not there. */
  #ranges(): { readonly ram: DmaRange; readonly inBuffer: number } | undefined {
    const write = (this.dmaCommand & DMA_TO_RAM) !== 0;
    const [local, address] = write ? [this.dmaSource, this.dmaTarget] : [this.dmaTarget, this.dmaSource];
    const inBuffer = local - BUFFER_BASE;
    const length = this.dmaCount;
    if (inBuffer < 0 || inBuffer + length > BUFFER_SIZE || address + length - 1 > this.#settings.dmaMask)
      return undefined;
    return { ram: { address, length, write }, inBuffer };
  }

  /** Moves the bytes in the turn in which the guest's pages are there; again after a load that found it waiting. */
  move(): void {
    const ranges = this.#ranges();
    if (ranges === undefined) {
      this.#parts.logger.guestError(
        `DMA of ${this.dmaCount} bytes from 0x${this.dmaSource.toString(16)} to 0x${this.dmaTarget.toString(16)}`,
      );
      this.#finishTransfer();
      return;
    }
    const { ram, inBuffer } = ranges;
    this.dmaMoving = true;
    this.#parts.dma.run([ram], () => {
      // A reset may have come while the pages were missing.
      if (!this.dmaMoving) return;
      const bytes = this.buffer.subarray(inBuffer, inBuffer + ram.length);
      if (ram.write) this.#parts.dma.write(ram.address, bytes);
      else this.#parts.dma.read(ram.address, bytes);
      this.#finishTransfer();
    });
  }

  #finishTransfer(): void {
    this.dmaMoving = false;
    this.dmaCommand &= ~DMA_RUN;
    if ((this.dmaCommand & DMA_RAISES) !== 0) this.raise(IRQ_DMA);
  }
}

/** Modulo 2^32, as the hardware multiplies; from 34 on every product is a multiple of 2^32. */
function factorialOf(value: number): number {
  if (value > 33) return 0;
  let product = 1;
  for (let i = 2; i <= value; i++) product = Math.imul(product, i) >>> 0;
  return product;
}

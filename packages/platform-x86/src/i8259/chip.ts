import { Irq, type IrqLine } from '@sterna/core';
import type { LoadGate } from '../support/load-gate.ts';

/** ICW1 and OCW bits (8259A data sheet, figures 7 and 8). */
const ICW1 = 0x10;
const ICW1_IC4 = 0x01;
const ICW1_SNGL = 0x02;
const ICW1_LTIM = 0x08;
const OCW3 = 0x08;
/** Inputs that may be level triggered: not timer, keyboard, cascade on the master; not RTC, FPU on the slave. */
const ELCR_MASK_MASTER = 0xf8;
const ELCR_MASK_SLAVE = 0xde;
/** The master's input to which the slave's output is wired. */
const CASCADE = 2;
/** Vector offset that a controller answers when nothing is pending any more (data sheet, "default IR7"). */
const SPURIOUS = 7;

/** Steps of the initialisation sequence, as they travel in `init_state`. */
const INIT_DONE = 0;
const INIT_ICW2 = 1;
const INIT_ICW3 = 2;
const INIT_ICW4 = 3;

/**
 * An 8259A. Fields are numbers as they travel; `special_mask` and the like are 0 or 1.
 *
 * @see 8259A data sheet; QEMU hw/intc/i8259.c, v10.0
 */
export class I8259 {
  readonly master: boolean;
  /** Levels of the inputs: the edge detector's memory. */
  lastIrr = 0;
  irr = 0;
  imr = 0;
  isr = 0;
  /** Input with the highest priority. */
  priorityAdd = 0;
  irqBase = 0;
  readRegSelect = 0;
  poll = 0;
  specialMask = 0;
  initState = INIT_DONE;
  autoEoi = 0;
  rotateOnAutoEoi = 0;
  specialFullyNestedMode = 0;
  init4 = 0;
  singleMode = 0;
  elcr = 0;
  /** ICW1's level bit: all inputs are level triggered. */
  ltim = 0;

  readonly #output: IrqLine;
  readonly #inputs: readonly Irq[];
  #slave: I8259 | undefined;

  constructor(master: boolean, output: IrqLine, gate: LoadGate) {
    this.master = master;
    this.#output = output;
    this.#inputs = Array.from(
      { length: 8 },
      (_, pin) =>
        new Irq((level) => {
          if (!gate.loading) this.setInput(pin, level);
        }),
    );
  }

  /** The wire to input `pin` (0-7). */
  input(pin: number): IrqLine {
    return this.#inputs[pin]!;
  }

  /** Connects the acknowledge cycle of the slave, whose output must be wired to {@link input} 2. */
  attachSlave(slave: I8259): void {
    this.#slave = slave;
  }

  /** Level of INT. */
  get output(): boolean {
    return this.#pending() >= 0;
  }

  /** Drives INT to what the state asks for. */
  updateOutput(): void {
    this.#output.set(this.output);
  }

  reset(): void {
    this.elcr = 0;
    this.ltim = 0;
    this.#initialise();
  }

  #initialise(): void {
    this.lastIrr = 0;
    // Level triggered requests stay as long as their line is up.
    this.irr &= this.elcr;
    this.imr = 0;
    this.isr = 0;
    this.priorityAdd = 0;
    this.irqBase = 0;
    this.readRegSelect = 0;
    this.poll = 0;
    this.specialMask = 0;
    this.initState = INIT_DONE;
    this.autoEoi = 0;
    this.rotateOnAutoEoi = 0;
    this.specialFullyNestedMode = 0;
    this.init4 = 0;
    this.singleMode = 0;
  }

  #isLevelTriggered(mask: number): boolean {
    return this.ltim !== 0 || (this.elcr & mask) !== 0;
  }

  /** A line has changed. */
  setInput(pin: number, level: boolean): void {
    const mask = 1 << pin;
    if (level) {
      if (this.#isLevelTriggered(mask) || (this.lastIrr & mask) === 0) this.irr |= mask;
      this.lastIrr |= mask;
    } else {
      if (this.#isLevelTriggered(mask)) this.irr &= ~mask;
      this.lastIrr &= ~mask;
    }
    this.updateOutput();
  }

  /** Rank of the most urgent input in `mask`, 0 being the most urgent; 8 when there is none. */
  #rank(mask: number): number {
    if (mask === 0) return 8;
    let rank = 0;
    while ((mask & (1 << ((rank + this.priorityAdd) & 7))) === 0) rank++;
    return rank;
  }

  /** The input that INT stands for, or -1. */
  #pending(): number {
    const rank = this.#rank(this.irr & ~this.imr);
    if (rank === 8) return -1;
    let served = this.isr;
    if (this.specialMask !== 0) served &= ~this.imr;
    // In special fully nested mode the slave may interrupt again while one of its requests is served.
    if (this.specialFullyNestedMode !== 0 && this.master) served &= ~(1 << CASCADE);
    return rank < this.#rank(served) ? (rank + this.priorityAdd) & 7 : -1;
  }

  #acknowledge(pin: number): void {
    const mask = 1 << pin;
    if (this.autoEoi !== 0) {
      if (this.rotateOnAutoEoi !== 0) this.priorityAdd = (pin + 1) & 7;
    } else {
      this.isr |= mask;
    }
    if (!this.#isLevelTriggered(mask)) this.irr &= ~mask;
    this.updateOutput();
  }

  /** The CPU's acknowledge cycle on the master: the vector, through the slave where it is the slave's. */
  readIrq(): number {
    const pin = this.#pending();
    if (pin < 0) return this.irqBase + SPURIOUS;
    const slave = this.#slave;
    let vector: number;
    if (pin === CASCADE && slave !== undefined) {
      const slavePin = slave.#pending();
      if (slavePin >= 0) slave.#acknowledge(slavePin);
      vector = slave.irqBase + (slavePin >= 0 ? slavePin : SPURIOUS);
    } else {
      vector = this.irqBase + pin;
    }
    this.#acknowledge(pin);
    return vector;
  }

  read(offset: number): number {
    if (this.poll !== 0) {
      this.poll = 0;
      const pin = this.#pending();
      if (pin < 0) return 0;
      this.#acknowledge(pin);
      return 0x80 | pin;
    }
    if ((offset & 1) !== 0) return this.imr;
    return this.readRegSelect !== 0 ? this.isr : this.irr;
  }

  write(offset: number, value: number): void {
    if ((offset & 1) !== 0) this.#writeData(value);
    else if ((value & ICW1) !== 0) this.#writeIcw1(value);
    else if ((value & OCW3) !== 0) this.#writeOcw3(value);
    else this.#writeOcw2(value);
  }

  #writeIcw1(value: number): void {
    this.#initialise();
    this.updateOutput();
    this.initState = INIT_ICW2;
    this.init4 = value & ICW1_IC4;
    this.singleMode = value & ICW1_SNGL;
    this.ltim = value & ICW1_LTIM;
  }

  #writeOcw3(value: number): void {
    if ((value & 0x04) !== 0) this.poll = 1;
    if ((value & 0x02) !== 0) this.readRegSelect = value & 1;
    if ((value & 0x40) !== 0) this.specialMask = (value >> 5) & 1;
  }

  #writeOcw2(value: number): void {
    const rotate = (value & 0x80) !== 0;
    const pin = value & 7;
    switch ((value >> 5) & 3) {
      case 0: // rotate in automatic EOI mode: set or clear
        this.rotateOnAutoEoi = rotate ? 1 : 0;
        return;
      case 1: {
        // non-specific EOI
        const rank = this.#rank(this.isr);
        if (rank === 8) return;
        this.#endOfInterrupt((rank + this.priorityAdd) & 7, rotate);
        return;
      }
      case 2: // set priority; without rotate no operation
        if (!rotate) return;
        this.priorityAdd = (pin + 1) & 7;
        this.updateOutput();
        return;
      default: // specific EOI
        this.#endOfInterrupt(pin, rotate);
    }
  }

  #endOfInterrupt(pin: number, rotate: boolean): void {
    this.isr &= ~(1 << pin);
    if (rotate) this.priorityAdd = (pin + 1) & 7;
    this.updateOutput();
  }

  #writeData(value: number): void {
    switch (this.initState) {
      case INIT_ICW2:
        this.irqBase = value & 0xf8;
        this.initState = this.singleMode !== 0 ? this.#afterIcw3() : INIT_ICW3;
        break;
      case INIT_ICW3:
        this.initState = this.#afterIcw3();
        break;
      case INIT_ICW4:
        this.specialFullyNestedMode = (value >> 4) & 1;
        this.autoEoi = (value >> 1) & 1;
        this.initState = INIT_DONE;
        break;
      default:
        this.imr = value;
        this.updateOutput();
    }
  }

  #afterIcw3(): number {
    return this.init4 !== 0 ? INIT_ICW4 : INIT_DONE;
  }

  writeElcr(value: number): void {
    this.elcr = value & (this.master ? ELCR_MASK_MASTER : ELCR_MASK_SLAVE);
  }
}

import { ConfigError, type IrqLine, IrqOr, splitIrq } from '@sterna/core';
import { MICROVM_GSI } from '../memory-map.ts';

/** Something with numbered interrupt inputs. */
export interface InterruptInputs {
  input(pin: number): IrqLine;
}

/** The controllers behind the machine's interrupt numbers. */
export interface Controllers {
  /** Sixteen inputs of the two 8259, or undefined without them. */
  readonly pic: InterruptInputs | undefined;
  /** One or two IO-APICs. */
  readonly ioapics: readonly InterruptInputs[];
}

const PIC_INPUTS = 16;

/**
 * The machine's global system interrupts: 0-15 reach both the 8259 and the first IO-APIC, 16-23 only the latter, 24-47
 * the second IO-APIC. Interrupt 0 arrives at IO-APIC pin 2, which the MADT's override tells the guest.
 */
export class GsiRouter {
  readonly #controllers: Controllers;
  readonly #inputs: IrqOr[] = [];

  constructor(controllers: Controllers) {
    this.#controllers = controllers;
  }

  get count(): number {
    return this.#controllers.ioapics.length * MICROVM_GSI.ioapicPins;
  }

  /**
   * A new source of an interrupt; sources of one number are combined.
   *
   * @throws ConfigError `STERNA_ERR_BUS_ADDRESS` when the machine has no such interrupt.
   */
  line(gsi: number): IrqLine {
    if (!Number.isInteger(gsi) || gsi < 0 || gsi >= this.count) {
      throw new ConfigError(
        'STERNA_ERR_BUS_ADDRESS',
        `there is no interrupt ${gsi}; this machine has 0 to ${this.count - 1}`,
      );
    }
    this.#inputs[gsi] ??= new IrqOr(splitIrq(...this.#targets(gsi)));
    return this.#inputs[gsi].input();
  }

  #targets(gsi: number): IrqLine[] {
    const { pic, ioapics } = this.#controllers;
    const pin = gsi === 0 ? 2 : gsi % MICROVM_GSI.ioapicPins;
    const ioapic = ioapics[Math.floor(gsi / MICROVM_GSI.ioapicPins)]!;
    const lines = [ioapic.input(pin)];
    if (pic !== undefined && gsi < PIC_INPUTS) lines.unshift(pic.input(gsi));
    return lines;
  }
}

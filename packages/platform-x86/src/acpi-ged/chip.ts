import type { IrqLine, MachineControl, PowerButton } from '@sterna/core';

/** Events in the selector, one bit each. */
export const GED_POWER_DOWN = 0x2;
/** Register offsets of the second region. */
const SLEEP_CTL = 0;
const RESET = 2;
/** Value that the reset register takes. */
export const GED_RESET_VALUE = 0x42;
/** Sleep type of S5, as the \_S5 package names it. */
export const GED_SLEEP_TYPE_S5 = 5;

/**
 * The generic event device of hardware-reduced ACPI: events by one interrupt and
 * a selector, and the sleep and reset registers the FADT points to.
 *
 * @see ACPI 6.1 §5.6.9, §4.8.3.7; QEMU hw/acpi/generic_event_device.c, v10.0
 */
export class AcpiGed implements PowerButton {
  /** Events that the guest has not fetched. */
  sel = 0;
  /** DIMM slot that a memory hotplug method would look at; nothing can be plugged here. */
  memhpSelector = 0;

  readonly #irq: IrqLine;
  readonly #control: MachineControl;

  constructor(irq: IrqLine, control: MachineControl) {
    this.#irq = irq;
    this.#control = control;
  }

  reset(): void {
    this.sel = 0;
    this.memhpSelector = 0;
  }

  /** The interrupt is an edge: a pulse. */
  lowerIrq(): void {
    this.#irq.set(false);
  }

  pressed(): void {
    this.sel |= GED_POWER_DOWN;
    this.#irq.set(true);
    this.#irq.set(false);
  }

  /** Fetches and clears the pending events; the guest's _EVT method calls this. */
  readSelector(): number {
    const { sel } = this;
    this.sel = 0;
    return sel;
  }

  writeRegister(offset: number, value: number): void {
    if (offset === SLEEP_CTL) {
      const enable = (value & 0x20) !== 0;
      if (enable && ((value >> 2) & 7) === GED_SLEEP_TYPE_S5) this.#control.requestShutdown('guest-shutdown');
    } else if (offset === RESET && value === GED_RESET_VALUE) {
      this.#control.requestReset('guest-reset');
    }
  }
}

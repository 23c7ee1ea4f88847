import { defineDevice, IrqLine, MachineControl } from '@sterna/core';
import { AcpiGed } from './chip.ts';
import { acpiGedState } from './state.ts';

/** The generic event device: power button, power off and reset. */
export const acpiGed = defineDevice({
  name: 'acpi-ged',
  bus: 'sysbus',
  description: 'ACPI generic event device',
  inject: [IrqLine, MachineControl],
  create: (_properties: object, irq: IrqLine, control: MachineControl) => new AcpiGed(irq, control),
  regions: (ged) => [
    {
      name: 'acpi-ged',
      space: 'mmio',
      size: 4,
      // The selector is one 32-bit register; fetching a part of it would lose events.
      read: (offset, size) => (offset === 0 && size === 4 ? ged.readSelector() : 0),
      write: () => {},
    },
    {
      name: 'acpi-ged-regs',
      space: 'mmio',
      size: 3,
      read: () => 0,
      write: (offset, value, size) => {
        if (size === 1) ged.writeRegister(offset, value & 0xff);
      },
    },
  ],
  reset: { enter: (ged) => ged.reset(), hold: (ged) => ged.lowerIrq() },
  vmstate: acpiGedState,
});

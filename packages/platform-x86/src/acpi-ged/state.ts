import type { VmStateTable } from '@sterna/core';
import type { AcpiGed } from './chip.ts';

const gedState: VmStateTable<AcpiGed> = { name: 'acpi-ged-state', version: 1, fields: ({ u32 }) => [u32('sel')] };
const memhpState: VmStateTable<AcpiGed> = {
  name: 'memory hotplug state',
  version: 1,
  fields: ({ u32 }) => [u32('memhpSelector', { name: 'selector' })],
};

/** QEMU's `acpi-ged` section. The memory hotplug part is always sent, though microvm has no slots. */
export const acpiGedState: VmStateTable<AcpiGed> = {
  name: 'acpi-ged',
  version: 1,
  fields: ({ structOf }) => [structOf('ged_state', (ged) => ged, gedState)],
  subsections: [
    {
      name: 'acpi-ged/memhp',
      version: 1,
      needed: () => true,
      fields: ({ structOf }) => [structOf('memhp_state', (ged) => ged, memhpState)],
    },
  ],
  preLoad(ged) {
    ged.memhpSelector = 0;
  },
};

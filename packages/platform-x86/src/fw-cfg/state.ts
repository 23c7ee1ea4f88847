import type { VmStateTable } from '@sterna/core';
import type { FwCfgDevice } from './chip.ts';
import type { AcpiSizes } from './service.ts';

/** Sizes as they arrive, until the whole subsection is there. */
const incoming = new WeakMap<FwCfgDevice, { tables: number; linker: number; rsdp: number }>();

function sizeField(key: keyof AcpiSizes) {
  return {
    get: (dev: FwCfgDevice) => dev.acpi?.sizes()[key] ?? 0,
    set: (dev: FwCfgDevice, value: number) => {
      const sizes = incoming.get(dev) ?? { tables: 0, linker: 0, rsdp: 0 };
      sizes[key] = value;
      incoming.set(dev, sizes);
    },
  };
}

/** QEMU's `fw_cfg` section: the cursor. Items are the destination's own, built from its own command line. */
export const fwCfgState: VmStateTable<FwCfgDevice> = {
  name: 'fw_cfg',
  version: 2,
  minimumVersion: 1,
  fields: ({ u16, u32 }) => [
    u16('curEntry'),
    u16('curOffset', { when: (_dev, version) => version === 1 }),
    u32('curOffset', { since: 2 }),
  ],
  subsections: [
    {
      name: 'fw_cfg/dma',
      version: 0,
      needed: (dev) => dev.dmaEnabled,
      fields: ({ u64 }) => [
        u64({
          name: 'dma_addr',
          get: (dev) => (BigInt(dev.dmaHigh) << 32n) | BigInt(dev.dmaLow),
          set: (dev, value) => {
            dev.dmaHigh = Number(value >> 32n);
            dev.dmaLow = Number(value & 0xffff_ffffn);
          },
        }),
      ],
    },
    {
      name: 'fw_cfg/acpi_mr',
      version: 1,
      needed: (dev) => dev.acpi !== undefined,
      fields: ({ size }) => [
        size({ name: 'table_mr_size', ...sizeField('tables') }),
        size({ name: 'linker_mr_size', ...sizeField('linker') }),
        size({ name: 'rsdp_mr_size', ...sizeField('rsdp') }),
      ],
      postLoad(dev) {
        const sizes = incoming.get(dev);
        incoming.delete(dev);
        if (sizes === undefined) return;
        if (dev.acpi === undefined) throw new RangeError('fw_cfg: the source has ACPI tables, this machine has none');
        dev.acpi.resize(sizes);
      },
    },
  ],
  preLoad(dev) {
    dev.dmaHigh = 0;
    dev.dmaLow = 0;
  },
  postLoad: (dev) => dev.resume(),
};

import { defineDevice, IrqLine, Logger, prop } from '@sterna/core';
import { TRANSPORT_SIZE } from './registers.ts';
import { VirtioMmio } from './transport.ts';

/** A virtio-mmio transport. Empty ones are part of every microvm and have no state that travels. */
export const virtioMmio = defineDevice({
  name: 'virtio-mmio',
  bus: 'sysbus',
  description: 'virtio transport in memory',
  properties: {
    'force-legacy': prop.bool({ default: true, help: 'Offer the legacy interface (version 1)' }),
  },
  inject: [IrqLine, Logger],
  create: (properties, irq, logger) => new VirtioMmio(properties['force-legacy'], irq, logger),
  regions: (transport) => [
    {
      name: 'virtio-mmio',
      space: 'mmio',
      size: TRANSPORT_SIZE,
      read: (offset, size) => transport.read(offset, size),
      write: (offset, value, size) => transport.write(offset, value, size),
    },
  ],
  reset: { hold: (transport) => transport.lowerIrq() },
  vmstate: 'stateless',
});

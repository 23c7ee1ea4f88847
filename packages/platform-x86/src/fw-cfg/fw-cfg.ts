import { type DeviceRegion, Dma, defineDevice, Logger, prop } from '@sterna/core';
import { byteOps } from '../support/byte-ops.ts';
import { FwCfgDevice } from './chip.ts';
import { fwCfgState } from './state.ts';

function ports(device: FwCfgDevice): DeviceRegion {
  return {
    name: 'fwcfg',
    space: 'io',
    size: 2,
    defaultBase: 0x510,
    // Any byte read takes the next byte of the item; a word write selects. Byte writes once changed items.
    read: (_offset, size) => (size === 1 ? device.readByte() : 0),
    write: (_offset, value, size) => {
      if (size === 2) device.select(value & 0xffff);
    },
  };
}

function dmaPorts(device: FwCfgDevice): DeviceRegion {
  const signature = byteOps(
    (offset) => device.readSignature(offset),
    () => {},
  );
  return {
    name: 'fwcfg.dma',
    space: 'io',
    size: 8,
    defaultBase: 0x514,
    read: signature.read,
    write: (offset, value, size) => device.writeDma(offset, value, size),
  };
}

/** The firmware configuration device on its x86 ports. */
export const fwCfg = defineDevice({
  name: 'fw_cfg_io',
  bus: 'isa',
  description: 'QEMU firmware configuration device',
  properties: {
    dma_enabled: prop.bool({ default: true, help: 'Offer the DMA interface' }),
  },
  inject: [Dma, Logger],
  create: (properties: { readonly dma_enabled: boolean }, dma: Dma, logger: Logger) =>
    new FwCfgDevice(properties.dma_enabled, dma, logger),
  regions: (device) => (device.dmaEnabled ? [ports(device), dmaPorts(device)] : [ports(device)]),
  reset: { enter: (device) => device.reset() },
  sectionId: () => 'fw_cfg',
  vmstate: fwCfgState,
});

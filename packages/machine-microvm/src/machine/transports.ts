import type { MachineBuilder } from '@sterna/core';
import { type VirtioMmio, virtioMmio } from '@sterna/virtio';
import { MICROVM_MAP, type TransportMap, transportAddress } from '../memory-map.ts';
import type { GsiRouter } from './interrupts.ts';

/** Register with the type of the device behind a transport, 0 when there is none (virtio 1.2 §4.2.2). */
const DEVICE_ID = 0x008;

/** A virtio transport of the machine. */
export interface Transport {
  readonly index: number;
  readonly address: number;
  readonly gsi: number;
  readonly state: Pick<VirtioMmio, 'read'>;
}

/** Makes the virtio transports. */
export function makeTransports(builder: MachineBuilder, router: GsiRouter, map: TransportMap): readonly Transport[] {
  return Array.from({ length: map.count }, (_, index) => {
    const address = transportAddress(index);
    const gsi = map.irqBase + index;
    const spec = virtioMmio({ id: `virtio-mmio${index}`, at: { mmio: address } });
    return { index, address, gsi, state: builder.device(spec, { irqs: [router.line(gsi)] }).state as VirtioMmio };
  });
}

/** Transports with a device behind them, highest index first: the order in which QEMU fills and lists them. */
export function populatedTransports(transports: readonly Transport[]): readonly Transport[] {
  return transports.filter(({ state }) => state.read(DEVICE_ID, 4) !== 0).sort((a, b) => b.index - a.index);
}

/** Kernel parameters that name transports to a guest without ACPI, with a leading space each. */
export function transportParameters(transports: readonly Transport[]): string {
  return transports
    .map(({ address, gsi }) => ` virtio_mmio.device=${MICROVM_MAP.virtioMmioSize}@0x${address.toString(16)}:${gsi}`)
    .join('');
}

import { describe, expect, it } from 'vitest';
import { populatedTransports, type Transport, transportParameters } from '../../src/machine/transports.ts';
import { transportAddress, transportMap } from '../../src/memory-map.ts';

function transports(acpi: boolean, ioapics: number, devices: Readonly<Record<number, number>>): readonly Transport[] {
  const { count, irqBase } = transportMap(acpi, ioapics);
  return Array.from({ length: count }, (_, index) => ({
    index,
    address: transportAddress(index),
    gsi: irqBase + index,
    state: { read: (offset: number) => (offset === 8 ? (devices[index] ?? 0) : 0) },
  }));
}

describe('virtio transports', () => {
  it.each([
    [true, 2, 24, 24],
    [true, 1, 8, 16],
    [false, 1, 8, 5],
  ])('with acpi=%s and %i IO-APICs are %i, from interrupt %i on', (acpi, ioapics, count, irqBase) => {
    expect(transportMap(acpi, ioapics)).toEqual({ count, irqBase });
  });

  it('without a device are not listed', () => {
    expect(populatedTransports(transports(true, 2, {}))).toEqual([]);
  });

  it('are named on the kernel command line as QEMU 7.2 does, highest first', () => {
    const populated = populatedTransports(transports(false, 1, { 6: 5, 7: 4 }));
    expect(`hello world${transportParameters(populated)}`).toBe(
      'hello world virtio_mmio.device=512@0xfeb00e00:12 virtio_mmio.device=512@0xfeb00c00:11',
    );
  });
});

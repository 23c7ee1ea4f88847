import { describe, expect, it } from 'vitest';
import { flattenTree, microvmTree } from '../../src/boot/device-tree.ts';

describe('device tree', () => {
  it('is flattened with header, structure and shared property names', () => {
    const blob = flattenTree(
      { name: '', properties: { a: [1] }, children: [{ name: 'n', properties: { a: 'x', b: null } }] },
      256,
    );
    const words = new DataView(blob.buffer);
    const header = Array.from({ length: 10 }, (_, i) => words.getUint32(i * 4));
    expect(header).toEqual([0xd00d_feed, 256, 56, 128, 40, 17, 16, 0, 4, 72]);
    const structure = Array.from({ length: 18 }, (_, i) => words.getUint32(56 + i * 4));
    expect(structure).toEqual([1, 0, 3, 4, 0, 1, 1, 0x6e00_0000, 3, 2, 0, 0x7800_0000, 3, 0, 2, 2, 2, 9]);
    expect([...blob.subarray(128, 132)]).toEqual([0x61, 0, 0x62, 0]);
  });

  it('lists controllers, transports and ISA devices', () => {
    const tree = microvmTree({ ioapics: 2, serial: true, rtc: true, virtio: [{ address: 0xfeb0_2e00, gsi: 47 }] });
    expect(tree.children?.map((child) => child.name)).toEqual([
      'chosen',
      'ioapic1@fec00000',
      'ioapic2@fec10000',
      'virtio_mmio@feb02e00',
      'serial@3f8',
      'rtc@70',
    ]);
    expect(tree.children?.[3]?.properties).toMatchObject({
      reg: [0, 0xfeb0_2e00, 0, 512],
      'interrupt-parent': [2],
      interrupts: [23, 0],
    });
  });

  it('says when it is too large', () => {
    expect(() => flattenTree({ name: '', properties: {} }, 32)).toThrow(RangeError);
  });
});

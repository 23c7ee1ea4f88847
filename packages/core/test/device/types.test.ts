import { defineDevice, IrqLine, prop } from '@sterna/core';
import { describe, expect, it } from 'vitest';

const device = defineDevice({
  name: 'typed',
  bus: 'sysbus',
  description: 'For the compiler',
  properties: { watermark: prop.u32({ help: 'w' }), size: prop.size({ default: 1, help: 's' }) },
  inject: [IrqLine],
  create({ watermark, size }, irq) {
    const sum: number = watermark + size;
    irq.set(false);
    return { sum, big: 0n };
  },
  vmstate: { name: 'typed', version: 1, fields: ({ u32, u64 }) => [u32('sum'), u64('big')] },
});

/** Each line below must fail in the editor; `tsc` checks that it does. */
export function mistakes(): void {
  // @ts-expect-error watermark is required
  device({});
  // @ts-expect-error misspelt property
  device({ watermark: 1, watermrk: 2 });
  // @ts-expect-error wrong type
  device({ watermark: '1' });
  // @ts-expect-error sysbus has no slot
  device({ watermark: 1, at: { slot: 3 } });
  // @ts-expect-error no such bus
  defineDevice({ name: 'x', bus: 'sysbuss', description: '', create: () => ({}), vmstate: 'stateless' });
  // @ts-expect-error vmstate is mandatory
  defineDevice({ name: 'x', bus: 'sysbus', description: '', create: () => ({}) });
  defineDevice({
    name: 'x',
    bus: 'sysbus',
    description: '',
    create: () => ({ ctrl: 0, big: 0n }),
    vmstate: {
      name: 'x',
      version: 1,
      fields: ({ u32 }) => [
        // @ts-expect-error misspelt state key
        u32('ctlr'),
        // @ts-expect-error a bigint is not 32 bits
        u32('big'),
      ],
    },
  });
}

describe('device types', () => {
  it('a device type is callable and yields a spec with the erased type', () => {
    expect(device({ id: 't', watermark: 1, at: { mmio: 0x1000 } })).toMatchObject({
      id: 't',
      at: { mmio: 0x1000 },
      properties: { watermark: 1 },
    });
  });

  it('refuses reserved property names', () => {
    expect(() =>
      defineDevice({
        name: 'x',
        bus: 'sysbus',
        description: '',
        properties: { id: prop.u8({ help: '' }) },
        create: () => ({}),
        vmstate: 'stateless',
      }),
    ).toThrow(/'id' is reserved/);
  });
});

import { deviceSpec, parseSystemArgs } from '@sterna/cli';
import { defineDevice, definePlugin, PluginRegistry, prop } from '@sterna/core';
import { expect, it } from 'vitest';

const registry = new PluginRegistry();
registry.add(
  definePlugin({
    name: 'p',
    devices: [
      defineDevice({
        name: 'box',
        bus: 'sysbus',
        description: 'd',
        vmstate: 'stateless',
        properties: { size: prop.size({ default: 1, help: 'h' }) },
        create: () => ({}),
      }),
      defineDevice({
        name: 'port',
        bus: 'isa',
        description: 'd',
        vmstate: 'stateless',
        properties: { iobase: prop.u16({ default: 1, help: 'h' }) },
        create: () => ({}),
      }),
    ],
  }),
);
const spec = (text: string) => deviceSpec(parseSystemArgs(['-device', text]).devices[0]!, registry);

it('tells addresses from properties', () => {
  expect(spec('box,id=b,mmio=0xd0000000:0xd0010000,irq=11,size=4K')).toMatchObject({
    id: 'b',
    at: { mmio: [0xd000_0000, 0xd001_0000], irq: 11 },
    properties: { size: '4K' },
  });
  expect(spec('port,iobase=0x501,irq=3')).toMatchObject({ at: { irq: 3 }, properties: { iobase: '0x501' } });
  expect(spec('port').at).toBeUndefined();
});

it('names what it does not know', () => {
  expect(() => spec('bx')).toThrow("no device 'bx'; did you mean 'box'?");
  expect(() => spec('box,sise=4K')).toThrow("-device box has no property 'sise'; did you mean 'size'?");
  expect(() => spec('box,mmio=here')).toThrow(/'here' is not an address/);
});

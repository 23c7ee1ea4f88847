import {
  checkPlugin,
  defineDevice,
  definePlugin,
  isApiCompatible,
  PLUGIN_API_VERSION,
  PluginRegistry,
} from '@sterna/core';
import { describe, expect, it } from 'vitest';

const device = (name: string) =>
  defineDevice({ name, bus: 'sysbus', description: 'test', vmstate: 'stateless', create: () => ({}) });

describe('registry', () => {
  it('finds devices by name and suggests the nearest', () => {
    const registry = new PluginRegistry();
    const trace = device('trace-log');
    registry.add(definePlugin({ name: 'p', devices: [trace] }));
    expect(registry.device('trace-log')).toBe(trace);
    expect(registry.providerOfDevice('trace-log')).toBe('p');
    expect(() => registry.device('trce-log')).toThrow("no device 'trce-log'; did you mean 'trace-log'?");
    expect(() => registry.cpu('z80')).toThrow(/no CPU model 'z80'/);
    expect(() => registry.machine('pc')).toThrow(/no machine type 'pc'/);
  });

  it('refuses a name that another plugin provides, and adds nothing then', () => {
    const registry = new PluginRegistry();
    registry.add(definePlugin({ name: 'one', devices: [device('a')] }));
    expect(() => registry.add(definePlugin({ name: 'two', devices: [device('b'), device('a')] }))).toThrow(
      "plugin two: device 'a' is already provided by one",
    );
    expect(registry.devices.map((type) => type.descriptor.name)).toEqual(['a']);
  });

  it('takes the same plugin twice', () => {
    const registry = new PluginRegistry();
    const plugin = definePlugin({ name: 'one', devices: [device('a')] });
    registry.add(plugin);
    registry.add(plugin);
    expect(registry.plugins).toHaveLength(1);
  });
});

describe('version check', () => {
  it.each([
    ['0.1.0', '0.1.7', true],
    ['0.1.9', '0.1.0', true],
    ['0.2.0', '0.1.0', false],
    ['1.2.0', '1.3.0', true],
    ['1.4.0', '1.3.0', false],
    ['2.0.0', '1.3.0', false],
    ['latest', '0.1.0', false],
  ])('a plugin for %s on %s: %s', (wanted, provided, compatible) => {
    expect(isApiCompatible(wanted, provided)).toBe(compatible);
  });
});

describe('checkPlugin', () => {
  it.each([
    [undefined, /no default export/],
    [42, /the default export is 42/],
    [{ kind: 'other' }, /an object of another kind/],
    [{ ...definePlugin({ name: 'x' }), name: '' }, /no name/],
    [{ ...definePlugin({ name: 'x' }), devices: [{}] }, /devices\[0\] is an object of another kind.*defineDevice/],
    [{ ...definePlugin({ name: 'x' }), cpus: {} }, /'cpus' is not a list/],
    [
      definePlugin({
        name: 'x',
        devices: [{ kind: 'device', descriptor: { ...device('d').descriptor, vmstate: undefined } } as never],
      }),
      /does not say what of its state travels/,
    ],
  ])('names the plugin and the reason (%#)', (value, message) => {
    expect(() => checkPlugin(value, './p.ts')).toThrow(message);
    expect(() => checkPlugin(value, './p.ts')).toThrow('plugin ./p.ts');
  });

  it('names both versions', () => {
    expect(() => checkPlugin(definePlugin({ name: 'old', apiVersion: '0.0.3' }), './p.ts')).toThrow(
      `plugin old (./p.ts) was made for plugin API 0.0.3, this is ${PLUGIN_API_VERSION}`,
    );
  });

  it('takes a bare device for a plugin of one', () => {
    expect(checkPlugin(device('d'), './p.ts').devices).toHaveLength(1);
  });
});

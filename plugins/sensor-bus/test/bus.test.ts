import { DeviceHarness } from '@sterna/testkit';
import { describe, expect, it } from 'vitest';
import plugin, { TwoWireBus, ternSensor, twoWireBus, twoWireController } from '../src/index.ts';

const [ADDRESS, COMMAND, STATUS, DATA] = [0x0, 0x4, 0x8, 0xc];
const [START, READ, STOP] = [1, 2, 4];

/** A controller, and on its bus the sensor of another bench: two devices that know each other by the bus only. */
async function connected(properties: Readonly<Record<string, unknown>> = {}) {
  const bus = twoWireBus();
  const provide: NonNullable<ConstructorParameters<typeof DeviceHarness>[1]>['provide'] = (scope) =>
    scope.provide(TwoWireBus, bus);
  const sensor = new DeviceHarness(ternSensor, { provide, properties });
  const controller = new DeviceHarness(twoWireController, { provide });
  return { bus, sensor, controller };
}

function readRegister(controller: DeviceHarness, register: number): number {
  controller.write(ADDRESS, 0x48);
  controller.write(COMMAND, START);
  controller.write(DATA, register);
  controller.write(COMMAND, START | READ);
  const value = (controller.read(DATA) << 8) | controller.read(DATA);
  controller.write(COMMAND, STOP);
  return value;
}

describe('the two-wire bus', () => {
  it('brings a temperature that follows the guest time', async () => {
    const { sensor, controller } = await connected({ 'day-ms': 1000 });
    const coldest = readRegister(controller, 0);
    sensor.advance(500_000_000);
    const warmest = readRegister(controller, 0);
    expect([coldest / 256, warmest / 256]).toEqual([4, 20]);
  });

  it('has a register that the guest writes', async () => {
    const { controller } = await connected();
    controller.write(ADDRESS, 0x48);
    controller.write(COMMAND, START);
    for (const byte of [1, 0x01, 0xf4]) controller.write(DATA, byte);
    controller.write(COMMAND, STOP);
    expect(readRegister(controller, 1)).toBe(500);
  });

  it('acknowledges what is there and nothing else', async () => {
    const { controller } = await connected();
    controller.write(ADDRESS, 0x48);
    controller.write(COMMAND, START);
    expect(controller.read(STATUS)).toBe(3);
    controller.write(COMMAND, STOP);
    controller.write(ADDRESS, 0x49);
    controller.write(COMMAND, START | READ);
    expect([controller.read(STATUS), controller.read(DATA)]).toEqual([1, 0xff]);
  });

  it('goes on without a sensor that is pulled out in the middle', async () => {
    const { sensor, controller } = await connected();
    controller.write(ADDRESS, 0x48);
    controller.write(COMMAND, START | READ);
    sensor.unplug();
    expect(controller.read(DATA)).toBe(0xff);
  });

  it('takes two sensors at one address for a mistake', () => {
    const bus = twoWireBus();
    const provide = (scope: { provide: (id: typeof TwoWireBus, value: TwoWireBus) => void }) =>
      scope.provide(TwoWireBus, bus);
    new DeviceHarness(ternSensor, { provide });
    expect(() => new DeviceHarness(ternSensor, { provide })).toThrow(/address 0x48 is taken/);
  });

  it('is offered by the plugin', () => {
    expect(plugin.devices).toEqual([twoWireController, ternSensor]);
  });
});

import { definePlugin, type Plugin } from '@sterna/core';
import { TwoWireBus, twoWireBus } from './bus.ts';
import { twoWireController } from './controller.ts';
import { ternSensor } from './sensor.ts';

export * from './bus.ts';
export { ternSensor, twoWireController };

const plugin: Plugin = definePlugin({
  name: 'sensor-bus',
  devices: [twoWireController, ternSensor],
  // One bus for each machine: its devices find it by this identifier.
  bind: (bind) => bind(TwoWireBus).toConstantValue(twoWireBus()),
});
export default plugin;

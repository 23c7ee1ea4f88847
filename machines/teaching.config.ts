/**
 * Devices to learn with: `sterna run machines/teaching.config.ts`. A computation with interrupts and DMA at 0xd0000000, and a
 * thermometer on a bus of its own behind a controller at 0xd1000000.
 */
import { defineMachine } from '@sterna/core';
import { microvm } from '@sterna/machine-microvm';
import eduPlugin, { edu } from '@sterna-plugin/device-edu';
import policyPlugin, { patientPolicy } from '@sterna-plugin/migration-policy';
import sensorPlugin, { ternSensor, twoWireController } from '@sterna-plugin/sensor-bus';

export default defineMachine({
  name: 'teaching',
  machine: microvm({ acpi: 'on' }),
  memory: '64M',
  devices: [
    edu({ id: 'edu0', at: { mmio: 0xd000_0000, irq: 10 }, 'dma-mask': 64 * 2 ** 20 - 1 }),
    twoWireController({ id: 'wires', at: { mmio: 0xd100_0000 } }),
    ternSensor({ id: 'air', 'mean-mc': 15_000, 'day-ms': 10_000 }),
    // The guest may stand still for a fifth of a second when it moves, and is not slowed down for that.
    patientPolicy({ id: 'policy', 'max-ms': 200, 'max-throttle': 0 }),
  ],
  plugins: [eduPlugin, sensorPlugin, policyPlugin],
});

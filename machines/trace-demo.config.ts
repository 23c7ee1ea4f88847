/**
 * A microvm with the sample plugin's device: `sterna run machines/trace-demo.config.ts`.
 * Give a kernel of your own with `kernel:`; without one the machine stops at its firmware.
 */
import { defineMachine } from '@sterna/core';
import { microvm } from '@sterna/machine-microvm';
import tracePlugin, { traceLog } from '@sterna-plugin/device-trace-log';

const GUEST_TRACE = { mmio: 0xd000_0000, irq: 10 };

export default defineMachine({
  name: 'trace-demo',
  machine: microvm({ acpi: 'on' }),
  memory: '256M',
  serial: ['mon:stdio'],
  devices: [traceLog({ id: 'trace0', at: GUEST_TRACE, watermark: 64, size: 4 * 2 ** 20 })],
  plugins: [tracePlugin],
});

import { type ConformanceOptions, conformance, type DeviceHarness } from '@sterna/testkit';
import { describe, test } from 'vitest';
import { EDU_BUFFER, edu } from '../src/index.ts';

/** As a driver uses it: fills RAM, starts a transfer, waits and looks. */
function transfer(device: DeviceHarness, source: number, target: number, command: number): number {
  device.write(0x80, source);
  device.write(0x88, target);
  device.write(0x90, 64);
  device.write(0x98, command);
  device.advance(150_000);
  return device.read(0x98);
}

const options: ConformanceOptions = {
  operations: [
    { name: 'enable the interrupt', run: (device) => device.write(0x20, 0x80) },
    { name: 'start a factorial', run: (device) => device.write(0x08, 12) },
    { name: '50 us pass', run: (device) => device.advance(50_000) },
    {
      name: 'copy into the buffer',
      run: (device) => {
        for (let i = 0; i < 64; i++) device.ram[0x1000 + i] = i * 3;
        return transfer(device, 0x1000, EDU_BUFFER.base, 1);
      },
    },
    { name: 'copy out of the buffer', run: (device) => transfer(device, EDU_BUFFER.base, 0x2000, 1 | 2 | 4) },
    { name: 'acknowledge', run: (device) => device.write(0x64, 0x101) },
  ],
};

describe('sterna-edu keeps the rules of migration', () => {
  for (const { name, skipped, run } of conformance(edu, options)) if (skipped === undefined) test(name, run, 120_000);
});

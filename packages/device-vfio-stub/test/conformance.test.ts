import { conformance, type DeviceHarness } from '@sterna/testkit';
import { describe, test } from 'vitest';
import { vfioStub } from '../src/index.ts';

const PAGE = 4096;

const operations = [
  { name: 'read CHECKSUM', run: (h: DeviceHarness) => h.read(0x08) },
  { name: 'write RATE', run: (h: DeviceHarness) => h.write(0x0c, 800) },
  { name: 'write PAGE', run: (h: DeviceHarness) => h.write(0x1c, 3) },
  { name: 'write OFFSET', run: (h: DeviceHarness) => h.write(0x20, 4092) },
  { name: 'write DATA', run: (h: DeviceHarness) => h.write(0x24, 0x1234_5678) },
  { name: '30 ms pass', run: (h: DeviceHarness) => h.advance(30_000_000) },
  { name: 'read WRITES_LOW', run: (h: DeviceHarness) => h.read(0x14) },
  { name: 'write WORKING_SET', run: (h: DeviceHarness) => h.write(0x10, 5) },
  { name: 'write FILL', run: (h: DeviceHarness) => h.write(0x28, 77) },
  { name: 'read CHECKSUM', run: (h: DeviceHarness) => h.read(0x08) },
];

describe.each([{}, { 'pre-copy': false, p2p: false }, { 'load-rate': 400 * 1024 }])('vfio-stub with %j', (settings) => {
  const properties = { size: 8 * PAGE, 'initial-size': 2 * PAGE, 'stop-copy-size': PAGE, ...settings };
  for (const { name, skipped, run } of conformance(vfioStub, { properties, operations, randomOperations: 20 }))
    if (skipped === undefined) test(name, run, 60_000);
});

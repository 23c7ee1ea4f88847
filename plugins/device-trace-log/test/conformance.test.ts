import { type ConformanceOptions, conformance, type DeviceHarness } from '@sterna/testkit';
import { describe, test } from 'vitest';
import { traceLog } from '../src/index.ts';

const options: ConformanceOptions = {
  properties: { watermark: 2, size: 64 },
  operations: [
    { name: 'enable', run: (device: DeviceHarness) => device.write(0x0, 1) },
    { name: 'append', run: (device) => device.write(0x8, 0x1234_5678) },
    { name: 'append another', run: (device) => device.write(0x8, 0x9abc_def0) },
    { name: 'read HEAD', run: (device) => device.read(0x4) },
    { name: 'disable', run: (device) => device.write(0x0, 0) },
    { name: 'append in vain', run: (device) => device.write(0x8, 1) },
  ],
  // Words beyond HEAD are never looked at.
  transient: ['words'],
  // Version 1 had no CTRL: its streams say how many words there are and nothing else.
  fixtures: { 1: { bytes: Uint8Array.of(0, 0, 0, 5), expect: { head: 5, ctrl: 0 } } },
};

describe('trace-log keeps the rules of migration', () => {
  for (const { name, skipped, run } of conformance(traceLog, options))
    if (skipped === undefined) test(name, run, 120_000);
});

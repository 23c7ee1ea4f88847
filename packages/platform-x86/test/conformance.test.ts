/** Devices of the platform keep the rules of migration. */
import type { DeviceType } from '@sterna/core';
import { acpiGed, fwCfg, i8259, isaSerial } from '@sterna/platform-x86';
import { type ConformanceOptions, conformance } from '@sterna/testkit';
import { describe, test } from 'vitest';

/**
 * Not here: the PIT, whose line's level the interrupt controller's own state carries, and the RTC, whose memory has a battery
 * and whose clock is the host's.
 */
const DEVICES: readonly (readonly [DeviceType, ConformanceOptions])[] = [
  [acpiGed, {}],
  [fwCfg, {}],
  [i8259, {}],
  // QEMU sends them in subsections while they mean something.
  [isaSerial, { transient: ['thr', 'tsr', 'thrIpending'] }],
];

/** Streams of old versions are among the golden ones. */
const VERSIONS = 'loads every version it claims to load';

describe.each(DEVICES.map(([type, options]) => [type.descriptor.name, type, options] as const))(
  '%s',
  (_, type, options) => {
    for (const { name, skipped, run } of conformance(type, { randomOperations: 20, ...options }))
      if (skipped === undefined && name !== VERSIONS) test(name, run, 120_000);
  },
);

import { type DeviceType, isVmStateTable } from '@sterna/core';
import { type StateSection, StreamWriter, saveVmState } from '@sterna/migration';
import { DeviceHarness, type HarnessOptions } from '../harness/device-harness.ts';
import { MemoryChannel } from '../snapshot/memory-channel.ts';
import type { DeviceFactory, SimDevice } from './devices.ts';

/** What a simulated guest does with a device. */
export interface SimulatedDeviceOptions extends HarnessOptions {
  /** One of them is done now and then while the guest runs. */
  readonly operations: readonly ((harness: DeviceHarness) => void)[];
  /** What must be the same on both sides, beside what its tables hold and what can be seen from outside. */
  readonly fingerprint?: (harness: DeviceHarness) => string;
}

/**
 * Takes a device into simulations ({@link SimulationOptions.devices}): on every machine one of it is on a bench, its guest
 * works with it, and all of its sections migrate with the machine. After each migration it must be the same as before.
 *
 * ```ts
 * const devices = simulatedDevice(traceLog, { operations: [(h) => h.write(0x8, 1), (h) => h.advance(1000)] });
 * const failures = await runSeeds(0, 1000, { devices });
 * ```
 */
export function simulatedDevice(type: DeviceType, options: SimulatedDeviceOptions): DeviceFactory {
  return ({ side }) => {
    const harness = new DeviceHarness(type, options);
    if (side === 'destination') harness.stop();
    return { devices: [simDevice(harness, options)], sections: harness.machine.sections(), open: 0 };
  };
}

function simDevice(harness: DeviceHarness, { operations, fingerprint }: SimulatedDeviceOptions): SimDevice {
  return {
    name: harness.device.type.descriptor.name,
    reset: () => harness.reset(),
    work: (dice) => dice.pick(operations)(harness),
    fingerprint: () => [seen(harness), fingerprint?.(harness) ?? '', tables(harness.machine.sections())].join(' '),
    runs: (running) => (running ? harness.start() : harness.stop()),
    dispose: () => void harness[Symbol.asyncDispose](),
  };
}

/** Lines and timers. The bench's memory and disk are no part of the simulated machine: they do not move along. */
function seen({ irqs, timers }: DeviceHarness): string {
  const high = irqs.levels.flatMap((level, line) => (level ? [line] : []));
  return `lines high: [${high.join(' ')}], timers: [${timers.map(({ name, inNs }) => `${name} in ${inNs} ns`).join(', ')}],`;
}

/** The state in all tables, in hexadecimal digits. */
function tables(sections: readonly StateSection[]): string {
  const channel = new MemoryChannel();
  const writer = new StreamWriter(channel, new Uint8Array(65_536));
  for (const { vmstate, state } of sections)
    if (isVmStateTable(vmstate) && vmstate.needed?.(state) !== false) saveVmState(writer, vmstate, state);
  writer.flush();
  return Array.from(channel.bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

import { getEventListeners } from 'node:events';
import { replay, runSeeds, type SimulatedDeviceOptions, scheduleOf, simulatedDevice } from '@sterna/testkit';
import { describe, expect, test } from 'vitest';
import { alarm, Bell, makeBell } from '../alarm.ts';

const options: SimulatedDeviceOptions = {
  provide: (scope) => scope.provide(Bell, makeBell()),
  operations: [
    (h) => h.write(0, 1),
    (h) => h.write(4, 1000),
    (h) => h.machine.scope.get(Bell).ring(),
    (h) => h.advance(200_000),
    (h) => h.advance(2_000_000),
    (h) => h.write(20, 0x41),
  ],
};
const listeners = (signal: AbortSignal) => getEventListeners(signal, 'abort').length;

describe('a device of an author in simulated migrations', () => {
  test('that keeps the rules comes through all of them', { timeout: 120_000 }, async () => {
    expect(await runSeeds(0, 200, { listeners, devices: simulatedDevice(alarm(), options) })).toEqual([]);
  });

  test.each(['irq not restored', 'timer lost'] as const)(
    'with a mistake (%s) is found',
    async (mistake) => {
      const devices = simulatedDevice(alarm(mistake), options);
      const [failure] = await runSeeds(0, 200, { most: 1, devices });
      expect(failure?.violations[0]).toContain('alarm differs');
      // Alone it fails in the same way.
      const alone = await replay(scheduleOf(failure!.seed), { devices });
      expect(alone.violations).toEqual(failure!.violations);
    },
    120_000,
  );
});

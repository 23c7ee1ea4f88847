import { defineDevice, Hooks, prop } from '@sterna/core';
import { decide } from './decide.ts';

/** A machine with this "device" decides for itself what becomes of migrations that do not converge. */
export const patientPolicy = defineDevice({
  name: 'patient-policy',
  bus: 'isa',
  description: 'Policy for migrations: longer pauses, then a slower guest, then it stays',
  properties: {
    'first-ms': prop.u32({ default: 50, help: 'Pause that is allowed at first in ms' }),
    'max-ms': prop.u32({ default: 800, help: 'Longest pause in ms' }),
    'step-ms': prop.u32({ default: 5000, help: 'Time after which more is allowed in ms' }),
    'max-throttle': prop.u32({ default: 60, help: 'Largest share of time the guest is kept from running, 0 to 99' }),
  },
  inject: [Hooks],
  create(properties, hooks) {
    const settings = {
      firstPauseMs: properties['first-ms'],
      maxPauseMs: properties['max-ms'],
      stepMs: properties['step-ms'],
      maxThrottle: properties['max-throttle'],
    };
    if (settings.firstPauseMs === 0 || settings.stepMs === 0)
      throw new RangeError('first-ms and step-ms must not be 0');
    if (settings.maxPauseMs < settings.firstPauseMs) throw new RangeError('max-ms is less than first-ms');
    if (settings.maxThrottle > 99) throw new RangeError('max-throttle is more than 99');
    hooks.migrationRound.tap('patient-policy', (estimate) => decide(estimate, settings));
    return {};
  },
  vmstate: 'stateless',
});

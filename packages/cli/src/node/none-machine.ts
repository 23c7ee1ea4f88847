import { defineMachineType } from '@sterna/core';
import { x86Cpu, x86Cpus } from '@sterna/cpu-x86';

/** A machine without anything: programs start it to ask over QMP what this program offers. */
export const noneMachine = defineMachineType({
  name: 'none',
  description: 'empty machine',
  properties: {},
  defaultRamSize: 2 ** 16,
  maxCpus: 1,
  defaultCpu: x86Cpu,
  cpus: x86Cpus,
  devices: [],
  build() {},
});

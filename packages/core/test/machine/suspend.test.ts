import { BlockActivation, defineDevice, defineMachineType, Machine, MachineControl, VirtualClock } from '@sterna/core';
import { describe, expect, it } from 'vitest';
import { type FakeCpu, fakeCpuType } from '../support/fake-cpu.ts';
import { FakeHost } from '../support/fake-host.ts';

class Sleeper {
  readonly control: MachineControl;
  readonly woken: string[] = [];
  fired = 0;

  constructor(control: MachineControl, clock: VirtualClock) {
    this.control = control;
    const timer = clock.timer('alarm', () => void this.fired++);
    timer.arm(1_000_000);
  }
}

const sleeper = defineDevice({
  name: 'sleeper',
  bus: 'sysbus',
  description: 'Puts the guest to sleep',
  properties: {},
  inject: [MachineControl, VirtualClock],
  create: (_, control, clock) => {
    const state = new Sleeper(control, clock);
    control.supportWakeup((reason) => void state.woken.push(reason));
    return state;
  },
  vmstate: 'stateless',
});

function setup(devices = [sleeper({ id: 's0' })]) {
  const host = new FakeHost();
  const cpus: FakeCpu[] = [];
  const { type } = defineMachineType({
    name: 'test',
    description: 'may sleep',
    properties: {},
    defaultRamSize: 65536,
    maxCpus: 1,
    defaultCpu: fakeCpuType([]),
    cpus: [],
    devices: [],
    build(builder) {
      builder.createCpus();
      for (const spec of builder.userDevices) builder.device(spec);
    },
  });
  const machine = new Machine(
    {
      type,
      properties: {},
      cpu: fakeCpuType(cpus, host),
      cpuProperties: {},
      cpuCount: 1,
      ramSize: 65536,
      boot: { findFirmware: () => undefined },
      devices,
      chardevs: new Map(),
      serials: [],
    },
    host.host,
  );
  const states: string[] = [];
  machine.hooks.runState.tap('test', (state) => void states.push(state));
  return { host, machine, cpu: cpus[0]!, states };
}

describe('a guest that sleeps', () => {
  it('executes nothing while its timers go on, until it is woken', () => {
    const { host, machine, cpu, states } = setup();
    const device = machine.devices[0]!.state as Sleeper;
    machine.start();
    device.control.requestSuspend();
    host.run(() => machine.runState === 'suspended');
    let slices = 0;
    cpu.step = () => void slices++;
    host.run(() => device.fired > 0);
    expect([machine.runState, device.fired, slices]).toEqual(['suspended', 1, 0]);
    device.control.requestWakeup('rtc');
    host.run(() => slices > 3);
    expect([machine.runState, device.woken]).toEqual(['running', ['rtc']]);
    expect(slices).toBeGreaterThan(3);
    expect(states).toEqual(['running', 'suspended', 'running']);
  });

  it('sleeps on when it was stopped meanwhile; a reset makes it forget', () => {
    const { host, machine } = setup();
    const { control } = machine.devices[0]!.state as Sleeper;
    machine.start();
    control.requestSuspend();
    host.run(() => machine.runState === 'suspended');
    machine.stop();
    expect([machine.runState, machine.wasSuspended]).toEqual(['paused', true]);
    machine.stop('finish-migrate');
    expect(machine.wasSuspended).toBe(true);
    machine.start();
    expect([machine.runState, machine.wasSuspended]).toEqual(['suspended', false]);
    machine.stop();
    machine.requestReset('host-qmp-system-reset');
    machine.start();
    expect(machine.runState).toBe('running');
  });

  it('is not woken by what happens while it is stopped or awake', () => {
    const { machine } = setup();
    const device = machine.devices[0]!.state as Sleeper;
    device.control.requestWakeup('other');
    expect([machine.runState, device.woken]).toEqual(['prelaunch', []]);
    expect(() => machine.wakeUp('other')).toThrow('Unable to wake up: guest is not in suspended state');
    const other = setup([]);
    expect([machine.canWakeUp, other.machine.canWakeUp]).toEqual([true, false]);
    expect(() => other.machine.wakeUp('other')).toThrow('wake-up from suspend is not supported by this guest');
  });
});

describe('a machine whose disks are inactive', () => {
  it('does not run', () => {
    const { machine } = setup([]);
    const disks = { active: false, inactivateAll: async () => {}, activateAll: async () => {} };
    machine.scope.provide(BlockActivation, disks);
    expect(() => machine.start()).toThrow('disks are inactive');
    expect(machine.runState).toBe('prelaunch');
    disks.active = true;
    machine.start();
    expect(machine.runState).toBe('running');
  });
});

import {
  defineDevice,
  defineMachineType,
  Hooks,
  IrqLine,
  Machine,
  MachineControl,
  type MachineSetup,
  MigrationBlockers,
  prop,
  unmigratable,
  VirtualClock,
} from '@sterna/core';
import { describe, expect, it } from 'vitest';
import { type FakeCpu, fakeCpuType } from '../support/fake-cpu.ts';
import { FakeHost } from '../support/fake-host.ts';

class Counter {
  ticks = 0;
  log: string[] = [];
}

const counter = defineDevice({
  name: 'counter',
  bus: 'sysbus',
  description: 'Counts its timer',
  properties: { period: prop.u32({ default: 1000, help: 'ns' }) },
  inject: [VirtualClock, IrqLine, Hooks, MachineControl],
  create({ period }, clock, irq, hooks, control) {
    const state = new Counter();
    const timer = clock.timer('tick', () => {
      state.ticks++;
      irq.set(true);
      timer.arm(clock.now() + period);
    });
    timer.arm(period);
    hooks.runState.tap('counter', (now) => void state.log.push(now));
    return Object.assign(state, { control });
  },
  registers: (state) => ({
    TICKS: { offset: 0, read: () => state.ticks },
    CMD: {
      offset: 4,
      write: (v) =>
        v === 1 ? state.control.requestReset('guest-reset') : state.control.requestShutdown('guest-shutdown'),
    },
  }),
  reset: {
    enter: (s) => void s.log.push('enter'),
    hold: (s) => void s.log.push('hold'),
    exit: (s) => void s.log.push('exit'),
  },
  vmstate: { name: 'counter', version: 1, fields: ({ u32 }) => [u32('ticks')] },
});

function setup(overrides: Partial<MachineSetup> = {}, devices: MachineSetup['devices'] = []) {
  const host = new FakeHost();
  const cpus: FakeCpu[] = [];
  const irqs: [number, boolean][] = [];
  const type = defineMachineType({
    name: 'test',
    description: 'one device',
    properties: {},
    defaultRamSize: 65536,
    maxCpus: 1,
    defaultCpu: fakeCpuType([]),
    cpus: [],
    devices: [],
    build(builder) {
      const block = builder.ram('test.ram', builder.ramSize);
      builder.physical.map(0, { kind: 'ram', name: 'ram', block, offset: 0, size: builder.ramSize });
      builder.createCpus();
      builder.setIrqRouter((n) => ({ set: (level) => void irqs.push([n, level]) }));
      for (const spec of builder.userDevices) builder.device(spec);
    },
  });
  const machine = new Machine(
    {
      type: type.type,
      properties: {},
      cpu: fakeCpuType(cpus, host),
      cpuProperties: {},
      cpuCount: 1,
      ramSize: 65536,
      boot: { findFirmware: () => undefined },
      devices,
      chardevs: new Map(),
      serials: [],
      ...overrides,
    },
    host.host,
  );
  return { host, machine, cpu: cpus[0]!, irqs };
}

const oneCounter = [counter({ id: 'c0', at: { mmio: 0xd000_0000, irq: 7 } })];

describe('Machine', () => {
  it('runs vCPUs, fires timers at their time and wires interrupts', () => {
    const { host, machine, cpu, irqs } = setup({}, oneCounter);
    machine.start();
    host.run(() => machine.clock.now() > 100_000);
    const state = machine.devices[0]!.state as Counter;
    expect(state.ticks).toBeGreaterThanOrEqual(99);
    expect(cpu.bus.mmioRead(0xd000_0000, 4)).toBe(state.ticks);
    expect(irqs[0]).toEqual([7, true]);
    expect(machine.runState).toBe('running');
  });

  it('sleeps while every vCPU is halted and wakes for the next timer', () => {
    const { host, machine, cpu } = setup({}, [counter({ at: { mmio: 0xd000_0000 }, period: 4_000_000 })]);
    let slices = 0;
    cpu.step = (c) => {
      slices++;
      c.halted = true;
    };
    machine.start();
    const begin = host.ns;
    host.run(() => host.ns > begin + 1e9);
    const state = machine.devices[0]!.state as Counter;
    expect(slices).toBe(1);
    expect(state.ticks).toBeGreaterThan(240);
    expect(state.ticks).toBeLessThanOrEqual(251);
  });

  it('resets in three phases on a guest request', () => {
    const { host, machine, cpu } = setup({}, oneCounter);
    const state = machine.devices[0]!.state as Counter;
    state.log.length = 0;
    machine.start();
    let asked = false;
    cpu.step = (c) => {
      if (!asked) c.bus.mmioWrite(0xd000_0004, 4, 1);
      asked = true;
    };
    host.run(() => cpu.resets === 2);
    expect(state.log).toEqual(['running', 'enter', 'hold', 'exit']);
    expect(machine.runState).toBe('running');
  });

  it.each([
    ['poweroff', 'ends the machine', undefined, true],
    ['pause', 'stays in shutdown', { shutdown: 'pause' as const }, false],
  ])('power-off with action %s %s', (_, __, actions, ends) => {
    const { host, machine, cpu } = setup(actions === undefined ? {} : { actions }, oneCounter);
    let end: unknown;
    machine.onEnd = (e) => {
      end = e;
    };
    cpu.step = (c) => c.bus.mmioWrite(0xd000_0004, 4, 2);
    machine.start();
    host.run(() => machine.runState === 'shutdown');
    expect(machine.runState).toBe('shutdown');
    expect(end).toEqual(ends ? { cause: 'guest-shutdown', exitCode: 0 } : undefined);
  });

  it('a guest reset with -no-reboot powers off', () => {
    const { host, machine, cpu } = setup({ actions: { reboot: 'shutdown' } }, oneCounter);
    let cause: string | undefined;
    machine.onEnd = (e) => {
      cause = e.cause;
    };
    cpu.step = (c) => c.bus.mmioWrite(0xd000_0004, 4, 1);
    machine.start();
    host.run(() => cause !== undefined);
    expect(cause).toBe('guest-reset');
  });

  it('names the device and the reason when a device refuses', () => {
    const picky = defineDevice({
      name: 'picky',
      bus: 'sysbus',
      description: '',
      create: () => {
        throw new RangeError('size must be odd');
      },
      vmstate: 'stateless',
    });
    expect(() => setup({}, [picky({ id: 'p' })])).toThrow(/picky 'p': size must be odd/);
  });

  it('names an id that two devices share, an address that two regions share and a missing service', () => {
    const Missing = Symbol.for('@sterna/NobodyHasThis') as never;
    const needy = defineDevice({
      name: 'needy',
      bus: 'sysbus',
      description: '',
      inject: [Missing],
      create: () => ({}),
      vmstate: 'stateless',
    });
    expect(() => setup({}, [...oneCounter, counter({ id: 'c0', at: { mmio: 0xe000_0000 } })])).toThrow(
      /two devices have the id 'c0'/,
    );
    expect(() => setup({}, [...oneCounter, counter({ id: 'c1', at: { mmio: 0xd000_0000 } })])).toThrow(
      /c1.* overlaps c0/,
    );
    expect(() => setup({}, [needy({ id: 'n' })])).toThrow(
      /device needy 'n' needs service Symbol\(@sterna\/NobodyHasThis\)/,
    );
  });

  it('unrealize leaves no tap, timer, region or blocker', async () => {
    const sticky = defineDevice({
      name: 'sticky',
      bus: 'sysbus',
      description: '',
      inject: [MigrationBlockers, VirtualClock, Hooks],
      create(_, blockers, clock, hooks) {
        blockers.add('sticky');
        const state = { fired: 0 };
        clock.timer('t', () => void state.fired++).arm(1);
        hooks.runState.tap('s', () => void state.fired++);
        return state;
      },
      registers: () => ({ R: { offset: 0, read: () => 1 } }),
      vmstate: 'stateless',
    });
    const { host, machine } = setup({}, [sticky({ at: { mmio: 0xd000_0000 } })]);
    const device = machine.devices[0]!;
    expect(machine.blockers.reasons('normal')).toEqual(['sticky']);
    device.unrealize();
    expect(machine.blockers.reasons('normal')).toEqual([]);
    expect(machine.bus.mmioRead(0xd000_0000, 4)).toBe(0);
    machine.start();
    host.run(() => machine.clock.now() > 1000);
    expect((device.state as { fired: number }).fired).toBe(0);
    await machine.dispose();
  });

  it('a device that is unplugged while the machine runs lowers its line and takes its section and blockers along', () => {
    const ghost = defineDevice({
      name: 'ghost',
      bus: 'sysbus',
      description: 'cannot move',
      create: () => ({}),
      vmstate: unmigratable('its state is in another world'),
    });
    const { host, machine, irqs } = setup({}, [...oneCounter, ghost({ id: 'g0' })]);
    machine.start();
    host.run(() => irqs.length > 0);
    machine.unplug('c0');
    machine.unplug('g0');
    expect(irqs.at(-1)).toEqual([7, false]);
    expect(machine.devices).toEqual([]);
    expect(machine.sections().map(({ idstr }) => idstr)).toEqual(['timer']);
    expect(machine.blockers.reasons('normal')).toEqual([]);
    expect(machine.bus.mmioRead(0xd000_0000, 4)).toBe(0);
    expect(() => machine.unplug('c0')).toThrow(/no device with the id 'c0'/);
  });

  it('applies -global defaults below explicit properties', () => {
    const { machine } = setup({ globals: { 'counter.period': '77' } }, [
      counter({ id: 'a', at: { mmio: 0xd000_0000 } }),
      counter({ id: 'b', at: { mmio: 0xd001_0000 }, period: 5 }),
    ]);
    expect(machine.devices.map((d) => d.properties['period'])).toEqual([77, 5]);
  });

  it('lists sections with automatic instance ids', () => {
    const { machine } = setup({}, [counter({ at: { mmio: 0xd000_0000 } }), counter({ at: { mmio: 0xd001_0000 } })]);
    expect(machine.sections().map((s) => `${s.idstr}/${s.instanceId}`)).toEqual(['timer/0', 'counter/0', 'counter/1']);
  });
});

import {
  type CpuDebug,
  CpuExit,
  type DebugStop,
  defineCpu,
  defineMachineType,
  Machine,
  MachineDebugger,
  type MachineStop,
  PAGE_MISSING,
  type RunState,
  type VCpu,
  type Watchpoint,
} from '@sterna/core';
import { describe, expect, it } from 'vitest';
import { FakeHost } from '../support/fake-host.ts';

/** A CPU that does nothing, at the address `pc`, which every instruction raises by one. */
class DebuggedCpu implements CpuDebug {
  readonly littleEndian = true;
  pc = 0n;
  breakpoints: bigint[] = [];
  watchpoints: Watchpoint[] = [];
  stepping: 'off' | 'on' | 'interrupts' = 'off';
  stop: DebugStop | undefined;
  room = 2;
  executed = 0;

  view() {
    return { architecture: 'fake', features: [] };
  }
  setBreakpoint(address: bigint): boolean {
    if (this.breakpoints.length === this.room) return false;
    this.breakpoints.push(address);
    return true;
  }
  clearBreakpoint(address: bigint): void {
    this.breakpoints = this.breakpoints.filter((other) => other !== address);
  }
  setWatchpoint(watchpoint: Watchpoint): boolean {
    if (this.watchpoints.length === this.room) return false;
    this.watchpoints.push(watchpoint);
    return true;
  }
  clearWatchpoint({ address }: Watchpoint): void {
    this.watchpoints = this.watchpoints.filter((other) => other.address !== address);
  }
  clearAll(): void {
    this.breakpoints = [];
    this.watchpoints = [];
  }
  step(on: boolean, interrupts: boolean): void {
    this.stepping = on ? (interrupts ? 'interrupts' : 'on') : 'off';
  }
  run(budget: number): CpuExit {
    for (this.executed = 0; this.executed < budget; ) {
      if (this.breakpoints.includes(this.pc)) {
        this.stop = { kind: 'breakpoint', address: this.pc };
        return CpuExit.DEBUG;
      }
      this.pc++;
      this.executed++;
      if (this.stepping === 'off') continue;
      this.stop = { kind: 'step' };
      return CpuExit.DEBUG;
    }
    return CpuExit.BUDGET;
  }
}

/** Linear addresses are physical ones plus 0x1_0000_0000; below that nothing is mapped. */
const LINEAR = 0x1_0000_0000n;

function setup(cpuCount = 1) {
  const host = new FakeHost();
  const cpus: DebuggedCpu[] = [];
  const accesses: string[] = [];
  const cpuType = defineCpu({
    name: 'fake',
    description: 'test CPU',
    properties: {},
    hasTimestampCounter: true,
    create: (_, { index }) => {
      const debug = new DebuggedCpu();
      cpus.push(debug);
      const cpu: Partial<VCpu> = {
        index,
        debug,
        halted: false,
        sections: [],
        run(budget) {
          const exit = debug.run(budget);
          host.ns += debug.executed * 2;
          return exit;
        },
        reset: () => {},
        flushTlb: () => {},
        limitBudget: () => {},
        requestExit: () => {},
        invalidateCode: (at, length) => void accesses.push(`code ${at.toString(16)} ${length}`),
        translateDebug: (address) => (address >= LINEAR ? Number(address - LINEAR) : undefined),
      };
      return Object.defineProperty(cpu, 'executed', { get: () => debug.executed }) as VCpu;
    },
  });
  let current = (): number => -1;
  const { type } = defineMachineType({
    name: 'test',
    description: 'RAM, ROM and a device',
    properties: {},
    defaultRamSize: 65536,
    maxCpus: 4,
    defaultCpu: cpuType,
    cpus: [],
    devices: [],
    build(builder) {
      current = () => builder.currentCpu();
      const ram = builder.ram('ram', 0x4000);
      const rom = builder.ram('rom', 0x1000);
      builder.physical.map(0, { kind: 'ram', name: 'ram', block: ram, offset: 0, size: 0x4000 });
      builder.physical.map(0x4000, { kind: 'ram', name: 'rom', block: rom, offset: 0, size: 0x1000, readonly: true });
      builder.physical.map(0x5000, {
        kind: 'mmio',
        name: 'device',
        size: 0x100,
        ops: {
          read: (offset, size) => {
            accesses.push(`read ${offset} ${size} by ${current()}`);
            return 0x44332211;
          },
          write: (offset, value, size) => void accesses.push(`write ${offset} ${size} ${value.toString(16)}`),
        },
      });
      builder.createCpus();
    },
  });
  const machine = new Machine(
    {
      type,
      properties: {},
      cpu: cpuType,
      cpuProperties: {},
      cpuCount,
      ramSize: 65536,
      boot: { findFirmware: () => undefined },
      devices: [],
      chardevs: new Map(),
      serials: [],
    },
    host.host,
  );
  const stops: MachineStop[] = [];
  const debug = new MachineDebugger(machine);
  debug.onStop((stop) => void stops.push(stop));
  return { host, machine, debug, cpus, stops, accesses };
}

describe('run control', () => {
  it('stops at a breakpoint in state debug and tells the vCPU and the reason', () => {
    const { host, machine, debug, cpus, stops } = setup();
    debug.setBreakpoint(1000n);
    debug.resume(new Map([[debug.cpus[0]!, 'continue']]));
    host.run(() => !debug.running);
    expect([machine.runState, cpus[0]!.pc]).toEqual(['debug', 1000n]);
    expect(stops).toEqual([{ state: 'debug', cpu: debug.cpus[0], stop: { kind: 'breakpoint', address: 1000n } }]);
  });

  it('steps one vCPU while others stand still', () => {
    const { host, debug, cpus, stops } = setup(2);
    debug.resume(new Map([[debug.cpus[1]!, 'step']]));
    expect(cpus[1]!.stepping).toBe('on');
    host.run(() => !debug.running);
    expect(cpus.map(({ pc, stepping }) => [pc, stepping])).toEqual([
      [0n, 'off'],
      [1n, 'off'],
    ]);
    expect(stops[0]).toMatchObject({ cpu: debug.cpus[1], stop: { kind: 'step' } });
    debug.stepInterrupts = true;
    debug.resume(new Map([[debug.cpus[0]!, 'step']]));
    expect(cpus[0]!.stepping).toBe('interrupts');
  });

  it('lets all vCPUs run again when somebody else starts the machine', () => {
    const { host, machine, debug, cpus } = setup(2);
    debug.resume(new Map([[debug.cpus[1]!, 'step']]));
    host.run(() => !debug.running);
    machine.start();
    host.run(() => cpus[0]!.pc > 0n && cpus[1]!.pc > 1n);
    expect(cpus.every(({ pc }) => pc > 1n)).toBe(true);
  });

  it('hears of other stops, and pauses only what runs', () => {
    const { machine, debug, stops } = setup();
    debug.stop();
    expect(machine.runState).toBe('prelaunch');
    machine.start();
    debug.stop();
    machine.start();
    machine.stop('io-error');
    expect(stops).toEqual([{ state: 'paused' }, { state: 'io-error' }]);
  });

  it.each(['inmigrate', 'postmigrate', 'finish-migrate', 'shutdown', 'internal-error'] satisfies RunState[])(
    'does not let a machine run in state %s',
    (state) => {
      const { machine, debug } = setup();
      machine.setRunState(state);
      expect(debug.resumable).toBe(false);
      expect(() => debug.resume(new Map())).toThrow(/STERNA_ERR_RUN_STATE|state/);
      expect(machine.runState).toBe(state);
    },
  );

  it('does not let an ended machine run', async () => {
    const { machine, debug } = setup();
    await machine.dispose();
    expect(debug.resumable).toBe(false);
  });
});

describe('breakpoints', () => {
  it('are on all vCPUs or on none', () => {
    const { debug, cpus } = setup(2);
    cpus[1]!.room = 1;
    expect([debug.setBreakpoint(1n), debug.setBreakpoint(2n)]).toEqual([true, false]);
    expect(cpus.map(({ breakpoints }) => breakpoints)).toEqual([[1n], [1n]]);
    const watchpoint = { address: 4n, length: 1, kind: 'write' } as const;
    expect(debug.setWatchpoint(watchpoint)).toBe(true);
    debug.clearBreakpoint(1n);
    expect(cpus.map(({ breakpoints, watchpoints }) => [breakpoints.length, watchpoints.length])).toEqual([
      [0, 1],
      [0, 1],
    ]);
    debug.clearWatchpoint(watchpoint);
    debug.setBreakpoint(9n);
    debug.clearAll();
    expect(cpus.every(({ breakpoints, watchpoints }) => breakpoints.length + watchpoints.length === 0)).toBe(true);
  });
});

describe('memory', () => {
  it('is read and written across pages and into ROM, and decoded code is dropped', () => {
    const { machine, debug, accesses } = setup();
    const cpu = debug.cpus[0]!;
    const bytes = Uint8Array.from({ length: 0x1200 }, (_, i) => i);
    const ram = machine.memory.blocks[0]!;
    machine.memory.u8[machine.memory.flagIndex(ram.hostOffset + 0x3000)] = 2;
    expect(debug.writeMemory(cpu, LINEAR + 0x3000n, bytes)).toBe(bytes.length);
    const back = new Uint8Array(bytes.length);
    expect(debug.readMemory(cpu, LINEAR + 0x3000n, back)).toBe(bytes.length);
    expect(back).toEqual(bytes);
    expect(accesses).toEqual([`code ${(ram.hostOffset + 0x3000).toString(16)} 4096`]);
  });

  it('ends where nothing is mapped, or a page has not come yet', () => {
    const { machine, debug } = setup();
    const cpu = debug.cpus[0]!;
    expect(debug.readMemory(cpu, 0n, new Uint8Array(4))).toBe(0);
    expect(debug.readMemory(cpu, LINEAR + 0x50fen, new Uint8Array(4))).toBe(2);
    const ram = machine.memory.blocks[0]!;
    machine.memory.u8[machine.memory.flagIndex(ram.hostOffset + 0x1000)] = PAGE_MISSING;
    expect(debug.readMemory(cpu, LINEAR + 0xff0n, new Uint8Array(64))).toBe(16);
    expect(debug.writeMemory(cpu, LINEAR + 0x1000n, new Uint8Array(1))).toBe(0);
  });

  it('of devices is accessed as drivers do, as the chosen vCPU', () => {
    const { debug, accesses } = setup(2);
    const into = new Uint8Array(7);
    expect(debug.readMemory(debug.cpus[1]!, LINEAR + 0x5001n, into)).toBe(7);
    expect([...into]).toEqual([0x11, 0x11, 0x22, 0x11, 0x22, 0x33, 0x44]);
    expect(accesses).toEqual(['read 1 1 by 1', 'read 2 2 by 1', 'read 4 4 by 1']);
    accesses.length = 0;
    debug.writeMemory(debug.cpus[0]!, LINEAR + 0x5004n, Uint8Array.of(1, 2, 3, 4, 5));
    expect(accesses).toEqual(['write 4 4 4030201', 'write 8 1 5']);
  });

  it('is guest-physical on request', () => {
    const { debug } = setup();
    const cpu = debug.cpus[0]!;
    debug.writeMemory(cpu, LINEAR + 0x100n, Uint8Array.of(42));
    debug.physicalMemory = true;
    const into = new Uint8Array(1);
    expect([debug.readMemory(cpu, 0x100n, into), into[0]]).toEqual([1, 42]);
    expect(debug.readMemory(cpu, LINEAR, into)).toBe(0);
    expect(debug.readMemory(cpu, 0xffff_ffff_ffff_ffffn, into)).toBe(0);
  });
});

import { CpuExit, type CpuType, defineMachineType, Machine, type MachineType, type VCpu } from '@sterna/core';
import { VirtualHost } from '../host/virtual-host.ts';
import type { HasMachine } from '../snapshot/device-stream.ts';

/** How to make a processor on the bench. */
export interface CpuBenchOptions {
  /** Property values of the processor, or their texts. */
  readonly properties?: Readonly<Record<string, unknown>>;
  /** What it runs, and where that is put; by default at 0. */
  readonly program: Uint8Array;
  readonly origin?: number;
  /** The machine it is in; by default nothing but RAM at 0. The program is put into its first RAM block. */
  readonly machine?: MachineType;
  /** Bytes of RAM. Default: 64 KiB. */
  readonly ramSize?: number;
}

/** One processor that the test runs instruction by instruction. */
export class CpuBench implements HasMachine, AsyncDisposable {
  readonly machine: Machine;
  readonly cpu: VCpu;
  /** The first RAM block. */
  readonly ram: Uint8Array;
  /** Instructions executed so far. */
  executed = 0;

  /** Makes and resets it. */
  constructor(type: CpuType, options: CpuBenchOptions) {
    this.machine = new Machine(
      {
        type: options.machine ?? ramOnly(type),
        properties: {},
        cpu: type,
        cpuProperties: options.properties ?? {},
        cpuCount: 1,
        ramSize: options.ramSize ?? 64 << 10,
        icountShift: 0,
        boot: { findFirmware: () => undefined },
        devices: [],
        chardevs: new Map(),
        serials: [],
      },
      new VirtualHost().machineHost,
    );
    this.cpu = this.machine.cpus[0]!;
    const [block] = this.machine.memory.blocks;
    this.ram = this.machine.memory.u8.subarray(block!.hostOffset, block!.hostOffset + block!.usedLength);
    this.ram.set(options.program, options.origin ?? 0);
  }

  /** Runs until `count` instructions are executed or the processor stops by itself, in slices of `slice` at most. */
  run(count: number, slice: number = count): CpuExit {
    let exit: CpuExit = CpuExit.BUDGET;
    for (let left = count; left > 0; ) {
      const budget = Math.min(slice, left);
      exit = this.cpu.run(budget);
      const { executed } = this.cpu;
      this.executed += executed;
      left -= executed;
      if (exit !== CpuExit.BUDGET || executed === 0) break;
    }
    return exit;
  }

  /** Registers by name. */
  registers(): ReadonlyMap<string, bigint> {
    return new Map(this.cpu.registers().map(({ name, read }) => [name, read()]));
  }

  /** Power-on state, as a reset of the machine brings. */
  reset(): void {
    this.machine.requestReset('host-qmp-system-reset');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.machine.dispose();
  }
}

function ramOnly(cpu: CpuType): MachineType {
  return defineMachineType({
    name: 'cpu-bench',
    description: 'RAM and a processor',
    properties: {},
    defaultRamSize: 64 << 10,
    maxCpus: 1,
    defaultCpu: cpu,
    cpus: [cpu],
    devices: [],
    build(builder) {
      const block = builder.ram('bench.ram', builder.ramSize);
      builder.physical.map(0, { kind: 'ram', name: 'bench.ram', block, offset: 0, size: builder.ramSize });
      builder.createCpus();
    },
  }).type;
}

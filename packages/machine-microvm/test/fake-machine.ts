import {
  type BootImages,
  CpuExit,
  type DeviceSpec,
  defineCpu,
  Machine,
  type RegisterView,
  type VCpu,
} from '@sterna/core';
import { microvm } from '@sterna/machine-microvm';

/** A CPU that never runs: registers for boot code, and a port that remembers its line. */
class FakeCpu implements VCpu {
  readonly index: number;
  readonly executed = 0;
  readonly halted = true;
  readonly sections = [];
  readonly values = new Map<string, bigint>();
  line = false;
  readonly port = {
    setInterruptLine: (level: boolean) => {
      this.line = level;
    },
    nmi: () => {},
    smi: () => {},
    init: () => {},
    sipi: () => {},
  };

  constructor(index: number) {
    this.index = index;
  }
  run(): CpuExit {
    return CpuExit.HALT;
  }
  hasWork(): boolean {
    return false;
  }
  limitBudget(): void {}
  requestExit(): void {}
  reset(): void {
    this.values.clear();
  }
  flushTlb(): void {}
  flushWriteTags(): void {}
  invalidateCode(): void {}
  registers(): readonly RegisterView[] {
    const segments = ['cs', 'ds', 'es', 'fs', 'gs', 'ss', 'tr'].flatMap((s) => [
      `${s}.selector`,
      `${s}.base`,
      `${s}.limit`,
      `${s}.flags`,
    ]);
    const general = [
      'rax',
      'rbx',
      'rcx',
      'rdx',
      'rsi',
      'rdi',
      'rbp',
      'rsp',
      'rip',
      'rflags',
      'cr0',
      'cr3',
      'cr4',
      'efer',
    ];
    const names = [...general, ...segments, 'gdt.base', 'gdt.limit', 'idt.base', 'idt.limit'];
    return names.map((name) => ({
      name,
      bits: 64,
      read: () => this.values.get(name) ?? 0n,
      write: (value) => void this.values.set(name, value),
    }));
  }
  describe(): string {
    return '';
  }
  translateDebug(): undefined {
    return undefined;
  }
}

/** Options of {@link fakeMachine}. */
export interface FakeMachineOptions {
  readonly properties?: Readonly<Record<string, string>>;
  readonly boot?: Partial<BootImages>;
  readonly ramSize?: number;
  readonly cpuCount?: number;
  readonly devices?: readonly DeviceSpec[];
  readonly serials?: readonly string[];
}

const FIRMWARE: Readonly<Record<string, number>> = {
  'qboot.rom': 0x1_0000,
  'bios-microvm.bin': 0x2_0000,
  'linuxboot_dma.bin': 1536,
  'pvh.bin': 1536,
};

/** A microvm without a working CPU: everything that is decided before the first instruction can be looked at. */
export function fakeMachine(options: FakeMachineOptions = {}): {
  readonly machine: Machine;
  readonly cpus: readonly FakeCpu[];
} {
  const cpus: FakeCpu[] = [];
  const cpu = defineCpu({
    name: 'fake',
    description: 'A CPU that never runs',
    properties: {},
    hasTimestampCounter: true,
    create(_properties, { index }) {
      cpus[index] = new FakeCpu(index);
      return cpus[index];
    },
  });
  const findFirmware = (name: string) =>
    FIRMWARE[name] === undefined ? undefined : new Uint8Array(FIRMWARE[name]).fill(0xf1);
  const machine = new Machine(
    {
      type: microvm.type,
      properties: options.properties ?? {},
      cpu,
      cpuProperties: {},
      cpuCount: options.cpuCount ?? 1,
      ramSize: options.ramSize ?? 64 * 2 ** 20,
      boot: { findFirmware, ...options.boot },
      devices: options.devices ?? [],
      chardevs: new Map(),
      serials: options.serials ?? [],
    },
    {
      clock: { monotonicNs: () => 0, wallNs: () => 0n },
      loop: { soon: () => {}, after: () => ({ cancel: () => {} }) },
      entropy: { fill: () => {} },
      files: { write: () => {}, append: () => {} },
      log: () => {},
      tscHz: 1e9,
    },
  );
  return { machine, cpus };
}

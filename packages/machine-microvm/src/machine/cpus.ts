import { ConfigError, type MachineBuilder, NmiInput, type VCpu } from '@sterna/core';
import { apicIdOf, X86InterruptController } from '@sterna/cpu-x86';
import { ApicBus, apic, CpuPort, kvmvapic, type LocalApic, type LocalApicPort } from '@sterna/platform-x86';
import { MICROVM_MAP } from '../memory-map.ts';

/** Priority of an APIC page that was moved: above the machine's devices. */
const MOVED_APIC = 2;

/** Stands for a local APIC that is made after its CPU. */
class ApicSocket implements LocalApicPort {
  target: LocalApicPort | undefined;

  get #apic(): LocalApicPort {
    if (this.target === undefined) throw new TypeError('the CPU used its local APIC before the machine made it');
    return this.target;
  }
  get enabled(): boolean {
    return this.#apic.enabled;
  }
  get waitForSipi(): boolean {
    return this.#apic.waitForSipi;
  }
  hasInterrupt(): boolean {
    return this.#apic.hasInterrupt();
  }
  acknowledgeInterrupt(): number {
    return this.#apic.acknowledgeInterrupt();
  }
  getTpr(): number {
    return this.#apic.getTpr();
  }
  setTpr(value: number): void {
    this.#apic.setTpr(value);
  }
  getBase(): number {
    return this.#apic.getBase();
  }
  setBase(value: number, x2apicExists?: boolean): boolean {
    return this.#apic.setBase(value, x2apicExists);
  }
  readX2apic(register: number, out: Uint32Array): boolean {
    return this.#apic.readX2apic(register, out);
  }
  writeX2apic(register: number, low: number, high: number): boolean {
    return this.#apic.writeX2apic(register, low, high);
  }
  armDeadline(delay: number | undefined): void {
    this.#apic.armDeadline(delay);
  }
  get deadlinePending(): boolean {
    return this.#apic.deadlinePending;
  }
  initReset(): void {
    this.#apic.initReset();
  }
  takeSipi(): number {
    return this.#apic.takeSipi();
  }
}

/** Largest id that an interrupt can be addressed to: 255 means all. */
const MAX_APIC_ID = 254;

/** What {@link makeCpus} made. */
export interface MicrovmCpus {
  readonly cpus: readonly X86VCpu[];
  readonly apicBus: ApicBus;
  /** APIC ids by index. */
  readonly apicIds: readonly number[];
}

/** An x86 CPU as this machine needs it: one that an APIC can drive. */
export type X86VCpu = VCpu & { readonly port: CpuPort };

/**
 * Makes the vCPUs, each with its local APIC, and the APIC bus with its page at 0xfee00000.
 *
 * @throws ConfigError when there are more of them than APIC ids of eight bits can name.
 * @throws TypeError when the CPU type has no interrupt port, which means that it is not an x86 CPU.
 */
export function makeCpus(builder: MachineBuilder): MicrovmCpus {
  const apicIds = Array.from({ length: builder.cpuCount }, (_, index) => apicIdOf(index, builder.topology));
  const apicIdLimit = apicIds[apicIds.length - 1]! + 1;
  if (apicIdLimit > MAX_APIC_ID + 1)
    throw new ConfigError(
      'STERNA_ERR_UNSUPPORTED',
      `the last vCPU's APIC id would be ${apicIdLimit - 1}; ids above ${MAX_APIC_ID} are not supported`,
      { path: '-smp' },
    );
  const apicBus = new ApicBus(
    () => builder.currentCpu(),
    (base, { name, size, ...ops }) => builder.physical.map(base, { kind: 'mmio', name, size, ops }, MOVED_APIC),
  );
  builder.scope.provide(ApicBus, apicBus);
  const { region } = apicBus;
  builder.physical.map(MICROVM_MAP.apic, { kind: 'mmio', name: region.name, size: region.size, ops: region }, 1);
  const sockets: ApicSocket[] = [];
  const cpus = builder.createCpus((scope, index) => {
    sockets[index] = new ApicSocket();
    scope.provide(X86InterruptController, sockets[index]);
  }) as readonly X86VCpu[];
  for (const cpu of cpus) {
    const { port, index } = cpu;
    if (port === undefined) throw new TypeError('microvm needs an x86 CPU, with a port for its local APIC');
    const { state } = builder.device(apic({ index, 'apic-id': apicIds[index] }), {
      instanceId: index,
      provide: (scope) => scope.provide(CpuPort, wakingPort(builder, port, index)),
    });
    const local = state as LocalApic;
    sockets[index]!.target = local;
    builder.scope.provide(NmiInput, { nmi: () => local.externalNmi() });
    if (index === 0) builder.device(kvmvapic({}));
  }
  return { cpus, apicBus, apicIds };
}

/**
 * A halted CPU sleeps in the run loop, so whatever may end its halt has to end the loop's sleep too; and a CPU that signals
 * another one lets it have its turn.
 */
function wakingPort(builder: MachineBuilder, port: CpuPort, index: number): CpuPort {
  return {
    setInterruptLine(level) {
      port.setInterruptLine(level);
      if (level) builder.wake(index);
    },
    nmi() {
      port.nmi();
      builder.wake(index);
    },
    smi() {
      port.smi();
      builder.wake(index);
    },
    init() {
      port.init();
      builder.wake(index);
    },
    sipi(vector) {
      port.sipi(vector);
      builder.wake(index);
    },
  };
}

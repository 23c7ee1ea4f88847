import type { MachineBuilder, VCpu } from '@sterna/core';
import { X86InterruptController } from '@sterna/cpu-x86';
import { ApicBus, apic, CpuPort, kvmvapic, type LocalApic, type LocalApicPort } from '@sterna/platform-x86';
import { MICROVM_MAP } from '../memory-map.ts';

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
  setBase(value: number): boolean {
    return this.#apic.setBase(value);
  }
  initReset(): void {
    this.#apic.initReset();
  }
  takeSipi(): number {
    return this.#apic.takeSipi();
  }
}

/** An x86 CPU as this machine needs it: one that an APIC can drive. */
export type X86VCpu = VCpu & { readonly port: CpuPort };

/**
 * Makes the vCPUs, each with its local APIC, and the APIC bus with its page at 0xfee00000.
 *
 * @throws TypeError when the CPU type has no interrupt port, which means that it is not an x86 CPU.
 */
export function makeCpus(builder: MachineBuilder): { readonly cpus: readonly X86VCpu[]; readonly apicBus: ApicBus } {
  const apicBus = new ApicBus(() => builder.currentCpu());
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
    const { state } = builder.device(apic({ index }), {
      instanceId: index,
      provide: (scope) => scope.provide(CpuPort, wakingPort(builder, port)),
    });
    sockets[index]!.target = state as LocalApic;
    if (index === 0) builder.device(kvmvapic({}));
  }
  return { cpus, apicBus };
}

/** A halted CPU sleeps in the run loop, so whatever may end its halt has to end the loop's sleep too. */
function wakingPort(builder: MachineBuilder, port: CpuPort): CpuPort {
  return {
    setInterruptLine(level) {
      port.setInterruptLine(level);
      if (level) builder.wake();
    },
    nmi() {
      port.nmi();
      builder.wake();
    },
    smi() {
      port.smi();
      builder.wake();
    },
    init() {
      port.init();
      builder.wake();
    },
    sipi(vector) {
      port.sipi(vector);
      builder.wake();
    },
  };
}

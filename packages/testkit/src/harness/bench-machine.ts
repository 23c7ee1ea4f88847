import { type CpuType, Dma, defineMachineType, Irq, type MachineType } from '@sterna/core';
import { HeldDma } from './held-dma.ts';

/** Where the bench keeps the lines that its device drives. */
export interface IrqRecorder {
  /** Levels by line. */
  readonly levels: boolean[];
  /** Changes in order: line and new level. */
  readonly edges: [line: number, level: boolean][];
}

/** What the bench keeps in its own hands. */
export interface BenchParts {
  readonly irqs: IrqRecorder;
  /** Told of the memory that the devices get. */
  readonly onDma?: (dma: HeldDma) => void;
}

/** A machine type with RAM at 0, numbered interrupt lines that end in `irqs`, and the devices it is given. */
export function benchMachine(cpu: CpuType, { irqs, onDma = () => {} }: BenchParts): MachineType {
  return defineMachineType({
    name: 'bench',
    description: 'a bench for one device',
    properties: {},
    defaultRamSize: 1 << 20,
    maxCpus: 1,
    defaultCpu: cpu,
    cpus: [cpu],
    devices: [],
    build(builder) {
      const block = builder.ram('bench.ram', builder.ramSize);
      builder.physical.map(0, { kind: 'ram', name: 'bench.ram', block, offset: 0, size: builder.ramSize });
      builder.setIrqRouter((line) => {
        irqs.levels[line] ??= false;
        return new Irq((level) => {
          irqs.levels[line] = level;
          irqs.edges.push([line, level]);
        });
      });
      builder.createCpus();
      const dma = new HeldDma(builder.scope.get(Dma));
      onDma(dma);
      for (const spec of builder.userDevices) builder.device(spec, { provide: (scope) => scope.provide(Dma, dma) });
    },
  }).type;
}

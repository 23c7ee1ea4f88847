import { ConfigError, defineMachineType, Irq, type IrqLine, type MachineBuilder, UNCONNECTED_IRQ } from '@sterna/core';
import { type Cr16Cpu, cr16c } from '../cpu.ts';
import { type Program, readProgram } from './image.ts';
import { cr16Icu, ICU_INPUTS, type InterruptController } from './interrupt-controller.ts';
import { CR16_IRQ, CR16_MAP } from './memory-map.ts';
import { cr16Power } from './power.ts';
import { cr16Timer } from './timer.ts';
import { cr16Uart } from './uart.ts';

function load(builder: MachineBuilder, program: Program): void {
  const block = builder.memory.blocks.find(({ name }) => name === 'cr16.ram')!;
  const ram = builder.memory.bytes(block);
  for (const { address, bytes, size } of program.segments) {
    if (address + size > ram.length)
      throw new ConfigError(
        'STERNA_ERR_IMAGE_FORMAT',
        `the program needs RAM up to 0x${(address + size).toString(16)}, the board has 0x${ram.length.toString(16)}; give -m`,
      );
    ram.set(bytes, address);
    ram.fill(0, address + bytes.length, address + size);
    builder.memory.markWritten(block.hostOffset + address, size);
  }
}

/** A small board: RAM, a serial port, a timer, an interrupt controller. `-kernel` takes an ELF file or bytes for 0. */
export const cr16Board = defineMachineType({
  name: 'cr16-board',
  description: 'CR16C with RAM, UART and timer',
  properties: {},
  defaultRamSize: 2 ** 20,
  maxCpus: 1,
  defaultCpu: cr16c,
  cpus: [cr16c],
  devices: [cr16Uart, cr16Timer, cr16Icu, cr16Power],
  build(builder) {
    const { ramSize } = builder;
    if (ramSize > CR16_MAP.uart)
      throw new ConfigError('STERNA_ERR_RAM_SIZE', `cr16-board takes at most 0x${CR16_MAP.uart.toString(16)} bytes`);
    const block = builder.ram('cr16.ram', ramSize);
    builder.physical.map(0, { kind: 'ram', name: 'cr16.ram', block, offset: 0, size: ramSize });
    // The machine's only CPU type makes these.
    const cpu = builder.createCpus()[0] as Cr16Cpu;
    const output = new Irq((level) => {
      cpu.setInterruptLine(level);
      if (level) builder.wake(0);
    });
    const { state } = builder.device(cr16Icu({ id: 'icu', at: { mmio: CR16_MAP.icu } }), { irqs: [output] });
    const icu = state as InterruptController;
    const inputs: readonly IrqLine[] = Array.from(
      { length: ICU_INPUTS },
      (_, n) => new Irq((level) => icu.setInput(n, level)),
    );
    builder.setIrqRouter((n) => inputs[n] ?? UNCONNECTED_IRQ);
    const [serial] = builder.serials;
    const chardev = serial === undefined ? {} : { chardev: serial };
    builder.device(cr16Uart({ id: 'uart', at: { mmio: CR16_MAP.uart, irq: CR16_IRQ.uart }, ...chardev }));
    builder.device(cr16Timer({ id: 'timer', at: { mmio: CR16_MAP.timer, irq: CR16_IRQ.timer } }));
    builder.device(cr16Power({ id: 'power', at: { mmio: CR16_MAP.power } }));
    for (const spec of builder.userDevices) builder.device(spec);
    const { kernel } = builder.boot;
    if (kernel === undefined) return;
    const program = readProgram(kernel);
    builder.onReset(() => {
      load(builder, program);
      cpu.entry = program.entry;
      cpu.reset();
    });
  },
});

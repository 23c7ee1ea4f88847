export { type CpuPlacement, X86Cpu } from './cpu.ts';
export { type CpuHost, handlerTables, interpreterBytes, provideInterpreter, X86Engine } from './engine.ts';
export { Exit } from './interp/events.ts';
export { type PrintOptions, printInterpreter } from './interp/print.ts';
export { apicIdOf } from './models/topology.ts';
export type { CellType } from './state/cells.ts';
export { CELLS, type CellName, type CellPlace, STATE } from './state/layout.ts';
export { StateView } from './state/view.ts';
export { X86InterruptController, type X86InterruptPort, x86Cpu, x86Cpus } from './x86-cpu.ts';

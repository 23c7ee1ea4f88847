export { type CpuPlacement, X86Cpu } from './cpu.ts';
export {
  type CpuHost,
  type EngineCode,
  type EngineCpu,
  handlerTables,
  interpreterBytes,
  provideInterpreter,
  X86Engine,
} from './engine.ts';
export type { InstrumentMode } from './instrument/areas.ts';
export { X86Instrumentation } from './instrument/instrumentation.ts';
export { Exit } from './interp/events.ts';
export { type PrintOptions, printInterpreter } from './interp/print.ts';
export { Jit } from './jit/jit.ts';
export type { JitHost, JitOptions } from './jit/jit-options.ts';
export { JitStatistics } from './jit/jit-statistics.ts';
export type { CountOptions } from './jit/print-region.ts';
export { RegionTranslator, type TranslatedRegions, type TranslationJob } from './jit/region-translator.ts';
export { x86FeatureNames } from './models/feature-names.ts';
export { apicIdOf } from './models/topology.ts';
export type { CellType } from './state/cells.ts';
export { CELLS, type CellName, type CellPlace, STATE } from './state/layout.ts';
export { StateView } from './state/view.ts';
export { X86InterruptController, type X86InterruptPort, x86Cpu, x86Cpus } from './x86-cpu.ts';

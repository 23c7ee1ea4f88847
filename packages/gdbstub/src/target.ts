import type { MachineDebugger } from '@sterna/core';

/** What the stub needs of a machine: the debugger's side of core's `Machine`. */
export type GdbTarget = Pick<
  MachineDebugger,
  | 'cpus'
  | 'runState'
  | 'running'
  | 'resumable'
  | 'physicalMemory'
  | 'stepInterrupts'
  | 'onStop'
  | 'stop'
  | 'resume'
  | 'setBreakpoint'
  | 'clearBreakpoint'
  | 'setWatchpoint'
  | 'clearWatchpoint'
  | 'clearAll'
  | 'readMemory'
  | 'writeMemory'
>;

/** What gdb may ask of the process around the machine. */
export interface GdbHost {
  /** Runs a line of gdb's `monitor` command and answers its output; without it the command says that there is no monitor. */
  monitor?(line: string): Promise<string>;
  /** gdb wants the machine ended. */
  kill(): void;
}

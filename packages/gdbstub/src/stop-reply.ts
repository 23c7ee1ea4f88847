import type { MachineStop, RunState, WatchKind } from '@sterna/core';
import { threadId } from './thread-id.ts';

/** gdb's own numbers of signals (gdb's include/gdb/signals.def). */
const Signal = { INT: 2, QUIT: 3, TRAP: 5, ABRT: 6, ALRM: 14, IO: 23, XCPU: 24, UNKNOWN: 143 } as const;

/** Signals that stand for run states, as QEMU has them. */
const STATE_SIGNALS: Readonly<Partial<Record<RunState, number>>> = {
  debug: Signal.TRAP,
  paused: Signal.INT,
  shutdown: Signal.QUIT,
  'io-error': Signal.IO,
  watchdog: Signal.ALRM,
  'internal-error': Signal.ABRT,
  'finish-migrate': Signal.XCPU,
};
/** The machine stands still for a moment only, for its own purposes. */
const SILENT: readonly RunState[] = ['save-vm', 'restore-vm'];

const WATCH_NAMES: Readonly<Record<WatchKind, string>> = { write: 'watch', read: 'rwatch', access: 'awatch' };

/** How breakpoints are told from other traps; empty when gdb did not ask for it. */
export type BreakpointName = 'swbreak' | 'hwbreak' | '';

/** The stop reply for a machine that has stopped; undefined when gdb shall not hear of it. */
export function stopReply(
  { state, stop }: MachineStop,
  cpuIndex: number,
  breakpointName: (address: bigint) => BreakpointName,
): string | undefined {
  if (SILENT.includes(state)) return undefined;
  const reply = stateReply(state, cpuIndex);
  if (stop?.kind === 'watchpoint') {
    const { address, kind } = stop.watchpoint;
    return `${reply}${WATCH_NAMES[kind]}:${BigInt.asUintN(64, address).toString(16)};`;
  }
  const name = stop?.kind === 'breakpoint' ? breakpointName(stop.address) : '';
  return name === '' ? reply : `${reply}${name}:;`;
}

/** The plain stop reply of a run state. */
export function stateReply(state: RunState, cpuIndex: number): string {
  const signal = STATE_SIGNALS[state] ?? Signal.UNKNOWN;
  return `T${signal.toString(16).padStart(2, '0')}thread:${threadId(cpuIndex)};`;
}

/** The answer to gdb's first question, whatever brought the machine to where it is. */
export function attachReply(cpuIndex: number): string {
  return `T${Signal.TRAP.toString(16).padStart(2, '0')}thread:${threadId(cpuIndex)};`;
}

import type { RegisterView } from './register-view.ts';

/**
 * What a CPU offers to debuggers. Nothing here names an architecture: a debugger learns registers, their order and their
 * types from {@link DebugView}, so every CPU plugin that fills it in can be debugged.
 */

/** A register as remote debuggers see it. Its number is its place among all registers of the view. */
export interface DebugRegister extends RegisterView {
  /** Type in gdb's target descriptions: `int32`, `code_ptr`, `i387_ext`, or the id of a type of the feature. */
  readonly type: string;
  /** gdb's register group: `general`, `float`, `vector`, `system`. */
  readonly group?: string;
}

/** A type that registers of a feature have. */
export type DebugType =
  | { readonly kind: 'vector'; readonly id: string; readonly element: string; readonly count: number }
  | {
      readonly kind: 'union';
      readonly id: string;
      readonly fields: readonly { readonly name: string; readonly type: string }[];
    }
  | {
      readonly kind: 'flags';
      readonly id: string;
      /** Bytes of the register. */
      readonly size: number;
      readonly fields: readonly { readonly name: string; readonly start: number; readonly end: number }[];
    };

/** A named group of registers; debuggers know the standard names (`org.gnu.gdb.*`) and take any other. */
export interface DebugFeature {
  readonly name: string;
  readonly types?: readonly DebugType[];
  readonly registers: readonly DebugRegister[];
}

/** The CPU as a debugger sees it. */
export interface DebugView {
  /** gdb's name of the architecture, such as `i386:x86-64`. */
  readonly architecture: string;
  readonly features: readonly DebugFeature[];
}

/** Accesses that a watchpoint stops at. */
export type WatchKind = 'write' | 'read' | 'access';

/** A range of linear addresses that is watched. */
export interface Watchpoint {
  readonly address: bigint;
  /** Bytes, at least 1. */
  readonly length: number;
  readonly kind: WatchKind;
}

/** Why `run` returned CpuExit.DEBUG. */
export type DebugStop =
  | { readonly kind: 'breakpoint'; readonly address: bigint }
  | { readonly kind: 'step' }
  | { readonly kind: 'watchpoint'; readonly watchpoint: Watchpoint };

/**
 * Debugging of one vCPU from outside. The guest sees nothing of it: no guest register, flag or memory is used. Breakpoints
 * and watchpoints survive a reset. Call it between slices.
 */
export interface CpuDebug {
  /** True when values in registers and memory have their lowest byte first. */
  readonly littleEndian: boolean;
  /**
   * Registers for a debugger that attaches now; a CPU with several modes chooses by its present one. With `architecture`
   * it is the view of that name, so that all CPUs of a machine show the same registers.
   */
  view(architecture?: string): DebugView;
  /** Stops before the instruction at a linear address. Answers false when there is no room for another. */
  setBreakpoint(address: bigint): boolean;
  clearBreakpoint(address: bigint): void;
  /** Stops after an instruction that accesses the range. Answers false when there is no room for another. */
  setWatchpoint(watchpoint: Watchpoint): boolean;
  clearWatchpoint(watchpoint: Watchpoint): void;
  /** Removes all breakpoints and watchpoints. */
  clearAll(): void;
  /**
   * Makes the next slices end after one instruction, until switched off.
   *
   * @param interrupts - whether interrupts are taken meanwhile
   */
  step(on: boolean, interrupts: boolean): void;
  /** Why the last slice returned CpuExit.DEBUG. */
  readonly stop: DebugStop | undefined;
}

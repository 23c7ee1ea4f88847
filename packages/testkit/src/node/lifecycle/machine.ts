import type { VmProcess } from '../vm-process.ts';

/** A program that a machine can live in; all of them take QEMU's command line. */
export interface LifecycleProgram {
  readonly command: string;
  /** Options that only this program needs, for example the layout of the stream its peers expect. */
  readonly args?: readonly string[];
  /** Whether it migrates to `file:`; otherwise a file is written and read by `exec:cat`. True by default. */
  readonly hasFileUri?: boolean;
}

/** The machine whose life is checked. */
export interface LifecycleMachine {
  /** Options of every process of it, in QEMU's form. */
  readonly args: readonly string[];
  /** Programs, by the names that steps use. */
  readonly programs: Readonly<Record<string, LifecycleProgram>>;
}

/** The guest, wherever it lives now. */
export interface LifecycleGuest {
  /** Process it lives in. */
  readonly vm: VmProcess;
  /** Name of the program of that process. */
  readonly program: string;
  /** The step that has just been taken; its first is the boot. */
  readonly step: string;
  /** All it has written on its serial line, in every process. */
  readonly serial: string;
  /** What it has written since the last step, in the process it lives in now. */
  readonly recent: string;
  /** Types on its serial line. */
  type(text: string): void;
  /** Waits until {@link LifecycleGuest.recent} has what matches. */
  says(text: string | RegExp, limitMs?: number): Promise<void>;
}

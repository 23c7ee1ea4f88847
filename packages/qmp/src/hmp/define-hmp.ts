import type { MonitorTarget } from '../target.ts';

/** What a command of the human monitor works on. */
export interface HmpContext {
  readonly target: MonitorTarget;
  /** vCPU that `info registers` shows. */
  readonly cpuIndex: number;
}

/** A command of the human monitor. */
export interface HmpCommand {
  /** Name and, after `|`, its other names. */
  readonly names: readonly string[];
  /** Arguments as shown in the help: `[-d] uri`. */
  readonly usage: string;
  readonly help: string;
  /** Answers text, lines ended by newline. Throws an error with a sentence. */
  run(context: HmpContext, args: readonly string[]): string | Promise<string>;
}

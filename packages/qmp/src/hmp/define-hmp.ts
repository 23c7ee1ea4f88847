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

/** What a command of the human monitor does. */
export type Action = (...args: Parameters<HmpCommand['run']>) => void | Promise<void>;

/** A command that answers nothing. One without `usage` takes no arguments. */
export function hmpCommand(names: readonly string[], usage: string, help: string, action: Action): HmpCommand {
  return {
    names,
    usage,
    help,
    run: async (context, args) => {
      if (usage === '' && args.length > 0) throw new RangeError(`'${names[0]}' takes no arguments`);
      await action(context, args);
      return '';
    },
  };
}

/** An argument that must be there. @throws RangeError naming it when it is not */
export function needed(value: string | undefined, name: string): string {
  if (value === undefined) throw new RangeError(`'${name}' is missing`);
  return value;
}

import { type CodeCounter, defineDevice, Hooks, HostFiles, Instrumentation, Logger, prop } from '@sterna/core';
import { percent, reportTo, table } from './report.ts';

/** How often each kind of instruction is executed, and in how many places, as a table. */
export function instructionMixReport(counter: CodeCounter, limit: number): string {
  const kinds = new Map<string, { places: number; executions: number }>();
  let total = 0;
  for (const { name, executions } of counter.read()) {
    const kind = kinds.get(name) ?? { places: 0, executions: 0 };
    kind.places++;
    kind.executions += executions;
    total += executions;
    kinds.set(name, kind);
  }
  const rows = [...kinds]
    .sort(([, a], [, b]) => b.executions - a.executions)
    .slice(0, limit)
    .map(([name, { places, executions }]) => [name, places, executions, percent(executions, total)]);
  const head = `${kinds.size} kinds of instructions, ${total} executed\n`;
  return head + table([['instruction', 'places', 'executions', 'share'], ...rows]);
}

/** Counts instructions by what they do. */
export const instructionMix = defineDevice({
  name: 'instruction-mix',
  bus: 'sysbus',
  description: 'Instrument: how often each kind of instruction is executed',
  properties: {
    limit: prop.u32({ default: 40, help: 'Kinds to be listed' }),
    file: prop.optionalString({ help: 'Host file for the list; without one it is logged' }),
  },
  inject: [Instrumentation, Hooks, HostFiles, Logger],
  create({ limit, file }, instrumentation, hooks, files, logger) {
    return {
      limit,
      outlets: { file, hooks, files, logger },
      instrumentation,
      counter: undefined as CodeCounter | undefined,
    };
  },
  realize(state) {
    const counter = state.instrumentation.count();
    state.counter = counter;
    reportTo(state.outlets, 'instruction-mix', () => instructionMixReport(counter, state.limit));
  },
  unrealize: (state) => state.counter?.[Symbol.dispose](),
  vmstate: 'stateless',
});

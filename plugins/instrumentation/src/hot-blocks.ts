import { type CodeCounter, defineDevice, Hooks, HostFiles, Instrumentation, Logger, prop } from '@sterna/core';
import { blocksOf, work } from './blocks.ts';
import { hex, percent, reportTo, table } from './report.ts';

/** The blocks that are executed most, as a table. */
export function hotBlocksReport(counter: CodeCounter, limit: number): string {
  const blocks = blocksOf(counter.read());
  const total = blocks.reduce((n, block) => n + work(block), 0);
  const rows = blocks.slice(0, limit).map((block) => {
    const { address, instructions, executions } = block;
    return [hex(address), instructions.length, executions, percent(work(block), total)];
  });
  return `${blocks.length} blocks, ${total} instructions executed\n${table([['block', 'instructions', 'executions', 'share'], ...rows])}`;
}

/** Lists the blocks of code that are executed most. */
export const hotBlocks = defineDevice({
  name: 'hot-blocks',
  bus: 'sysbus',
  description: 'Instrument: the blocks of code that are executed most',
  properties: {
    limit: prop.u32({ default: 20, help: 'Blocks to be listed' }),
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
    reportTo(state.outlets, 'hot-blocks', () => hotBlocksReport(counter, state.limit));
  },
  unrealize: (state) => state.counter?.[Symbol.dispose](),
  // it looks on, and is no part of the machine that moves
  vmstate: 'stateless',
});

import type { CountedInstruction } from '@sterna/core';

/** Instructions that lie behind each other and were executed equally often. */
export interface HotBlock {
  readonly address: bigint;
  readonly instructions: readonly CountedInstruction[];
  readonly executions: number;
}

/**
 * Puts instructions together to blocks, the ones with the most instructions executed first. A block ends where control may go
 * elsewhere, and where the count changes: there somebody jumps in, or an exception has taken control away.
 */
export function blocksOf(instructions: readonly CountedInstruction[]): HotBlock[] {
  const sorted = [...instructions].sort((a, b) => (a.address < b.address ? -1 : a.address > b.address ? 1 : 0));
  /** Blocks that may go on, by the address behind them and their count: programs may share addresses. */
  const open = new Map<string, CountedInstruction[]>();
  const blocks: CountedInstruction[][] = [];
  for (const instruction of sorted) {
    const { address, length, executions, transfers } = instruction;
    const here = `${address}:${executions}`;
    let block = open.get(here);
    if (block === undefined) {
      block = [];
      blocks.push(block);
    } else open.delete(here);
    block.push(instruction);
    if (!transfers) open.set(`${address + BigInt(length)}:${executions}`, block);
  }
  return blocks
    .map((block) => ({ address: block[0]!.address, instructions: block, executions: block[0]!.executions }))
    .sort((a, b) => work(b) - work(a));
}

/** Instructions executed in a block. */
export function work({ instructions, executions }: HotBlock): number {
  return instructions.length * executions;
}

import type { Effects } from './effects.ts';
import type { Block } from './former.ts';
import type { FlowOrder } from './graph.ts';
import type { Masks } from './region-machine.ts';

/** Bits of what may be asked of the flags: all of them as recorded, or CF alone. */
export const Live = { all: 1, carry: 2 } as const;

/** What may be asked of the flags before an instruction, given what may be asked after it. */
export function liveBefore(e: Effects, after: number): number {
  let live = after;
  if (e.setsFlags) live = e.keepsCarry && after !== 0 ? Live.carry : 0;
  if (e.readsFlags || e.leaves) live |= Live.all;
  if (e.readsCarry) live |= Live.carry;
  return live;
}

/**
 * What may be asked of the flags at the start of each block. `exits` says whether a block may leave the region at its end,
 * where the flags are written to the cells.
 */
export function flagLiveness(
  blocks: readonly Block[],
  order: FlowOrder,
  successors: (block: number) => readonly number[],
  exits: (block: number) => boolean,
): { before: Uint8Array; after: Uint8Array } {
  const before = new Uint8Array(blocks.length);
  const after = new Uint8Array(blocks.length);
  for (let changed = true; changed; ) {
    changed = false;
    for (let i = order.order.length - 1; i >= 0; i--) {
      const b = order.order[i]!;
      let live = exits(b) ? Live.all : 0;
      for (const s of successors(b)) live |= before[s]!;
      after[b] = live;
      const { steps } = blocks[b]!;
      for (let k = steps.length - 1; k >= 0; k--) live = liveBefore(steps[k]!.effects, live);
      if (live !== before[b]) {
        before[b] = live;
        changed = true;
      }
    }
  }
  return { before, after };
}

/** Registers whose locals may be newer than the cells at the start of each block. */
export function dirtyRegisters(
  blocks: readonly Block[],
  order: FlowOrder,
  successors: (block: number) => readonly number[],
): Masks[] {
  const dirty: Masks[] = blocks.map(() => [0, 0]);
  for (let changed = true; changed; ) {
    changed = false;
    for (const b of order.order) {
      let [g, x] = dirty[b]!;
      for (const s of blocks[b]!.steps) {
        if (s.effects.way === 'call') [g, x] = [0, 0];
        g |= s.writes[0];
        x |= s.writes[1];
      }
      for (const s of successors(b)) {
        const d = dirty[s]!;
        if ((d[0] | g) === d[0] && (d[1] | x) === d[1]) continue;
        dirty[s] = [d[0] | g, d[1] | x];
        changed = true;
      }
    }
  }
  return dirty;
}

/**
 * Instructions from the start of each block to the next check of the budget or exit, at most: forward edges only, because
 * every backward edge checks.
 */
export function longestPaths(
  blocks: readonly Block[],
  order: FlowOrder,
  successors: (block: number) => readonly number[],
): Int32Array {
  const cost = new Int32Array(blocks.length);
  for (let i = order.order.length - 1; i >= 0; i--) {
    const b = order.order[i]!;
    let rest = 0;
    for (const s of successors(b)) if (order.position[s]! > i) rest = Math.max(rest, cost[s]!);
    cost[b] = blocks[b]!.steps.length + rest;
  }
  return cost;
}
